--- Contains the plugin that records the turns of opencode.
--- The plugin sends names, counts and the user's own prompts, never answers or tool output.
return [[
// Records each turn of opencode as a run of moonlet. Made by `moonlet hook opencode --plugin`.
import { spawn } from "node:child_process"

const most = { prompts: 100, length: 65536, answers: 2000 }

export const Moonlet = async ({ client, directory }) => {
  const parents = new Map() // the session of a subagent -> the session that started it
  const began = new Map() // session -> when its turn began, in ms
  let queue = Promise.resolve()

  const rootOf = (id) => {
    for (let i = 0; parents.has(id) && i < 100; i++) id = parents.get(id)
    return id
  }

  const send = (session, name, more) => {
    queue = queue.then(() => new Promise((done) => {
      try {
        const stdio = ["pipe", "ignore", "ignore"]
        const child = spawn("moonlet", ["hook", "opencode"], { cwd: directory, stdio })
        child.on("error", done)
        child.on("close", done)
        child.stdin.on("error", () => {})
        const event = { session_id: session, hook_event_name: name, cwd: directory, ...more }
        child.stdin.end(JSON.stringify(event))
      } catch {
        done()
      }
    }))
    return queue
  }

  const messagesOf = async (id) => {
    try {
      return (await client.session.messages({ path: { id } })).data ?? []
    } catch {
      return []
    }
  }

  const turnOf = async (session) => {
    const since = began.get(session) ?? 0
    const prompts = []
    const answers = []
    for (const id of [session, ...[...parents.keys()].filter((id) => rootOf(id) === session)]) {
      for (const { info, parts } of await messagesOf(id)) {
        if (info.time.created < since) continue
        if (info.role === "assistant" && answers.length < most.answers) {
          const { tokens, cost } = info
          answers.push({ id: info.id, model: info.modelID, tokens, cost, sub: id !== session })
        }
        if (info.role !== "user" || id !== session || prompts.length >= most.prompts) continue
        const typed = parts.filter((part) => part.type === "text" && !part.synthetic)
        prompts.push(typed.map((part) => part.text).join("\n").slice(0, most.length))
      }
    }
    return { prompts, answers }
  }

  return {
    // The state of the work tree is recorded before the agent answers.
    "chat.message": async ({ sessionID }, { message }) => {
      if (parents.has(sessionID) || began.has(sessionID)) return
      began.set(sessionID, message?.time?.created ?? Date.now())
      await send(sessionID, "chat.message")
    },
    "tool.execute.after": async ({ tool, sessionID, args }) => {
      const file = tool === "write" || tool === "edit" ? args?.filePath : undefined
      send(rootOf(sessionID), "tool.execute.after", { tool_name: tool, file })
    },
    event: async ({ event }) => {
      const { info, sessionID, reply, response } = event.properties ?? {}
      if (event.type === "session.created" && info?.parentID) parents.set(info.id, info.parentID)
      if (event.type === "permission.replied" && (reply ?? response) === "reject")
        send(rootOf(sessionID), "permission.rejected")
      if (event.type !== "session.idle" || parents.has(sessionID) || !began.has(sessionID)) return
      const turn = await turnOf(sessionID)
      began.delete(sessionID)
      await send(sessionID, "session.idle", turn)
    },
    dispose: async () => queue,
  }
}
]]
