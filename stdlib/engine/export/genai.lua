--- The names of OpenTelemetry's conventions for generative AI that the export uses: the one place to
--- change for a newer version of them.
return {
  scope = "moonlet.genai",
  version = "0.1.0",
  operation = { name = "gen_ai.operation.name", run = "invoke_workflow", agent = "invoke_agent",
    tool = "execute_tool" },
  --- The providers of the runners; another runner is named as it is.
  provider = { name = "gen_ai.provider.name", codex = "openai", claude = "anthropic", gemini = "gcp.gemini" },
  agent_name = "gen_ai.agent.name",
  request_model = "gen_ai.request.model",
  response_model = "gen_ai.response.model",
  tool_name = "gen_ai.tool.name",
  error_type = "error.type",
  --- A field of moonlet's usage -> its attribute.
  usage = {
    input_tokens = "gen_ai.usage.input_tokens",
    output_tokens = "gen_ai.usage.output_tokens",
    cached_input_tokens = "gen_ai.usage.cache_read.input_tokens",
    reasoning_output_tokens = "gen_ai.usage.reasoning.output_tokens",
  },
  --- Opt-in attributes with content; each is the JSON of a list of messages.
  input_messages = "gen_ai.input.messages",
  output_messages = "gen_ai.output.messages",
}
