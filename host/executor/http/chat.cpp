#include "host/executor/http/chat.h"

#include "host/base/id.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/failure.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
constexpr std::size_t kMostCalls = 1000;

std::string message_text(const json& item) {
  if (item.contains("content") && item["content"].is_string()) return item["content"];
  std::string text;
  if (item.contains("content") && item["content"].is_array()) {
    for (const json& part : item["content"]) {
      const std::string piece = text_of(part, "text") + text_of(part, "refusal");
      if (!text.empty() && !piece.empty()) text += '\n';
      text += piece;
    }
  }
  return text;
}

/// Returns the assistant message at the end, and adds one if there is none. The model's text and
/// its tool calls share one message.
json& assistant(json& messages) {
  if (messages.empty() || messages.back()["role"] != "assistant") {
    messages.push_back({{"role", "assistant"}, {"content", nullptr}});
  }
  return messages.back();
}

json messages_of(const Request& request) {
  json messages = json::array({{{"role", "system"}, {"content", request.instructions}}});
  for (const json& item : request.items) {
    const std::string type = text_of(item, "type");
    if (type == "function_call") {
      assistant(messages)["tool_calls"].push_back(
          {{"id", text_of(item, "call_id")},
           {"type", "function"},
           {"function",
            {{"name", text_of(item, "name")}, {"arguments", text_of(item, "arguments")}}}});
    } else if (type == "function_call_output") {
      messages.push_back({{"role", "tool"},
                          {"tool_call_id", text_of(item, "call_id")},
                          {"content", text_of(item, "output")}});
    } else if (type == "message" && text_of(item, "role") == "assistant") {
      json& message = assistant(messages);
      std::string text = text_of(message, "content");
      if (!text.empty()) text += '\n';
      message["content"] = text + message_text(item);
    } else if (type == "message") {
      messages.push_back({{"role", "user"}, {"content", message_text(item)}});
    }
  }
  return messages;
}

json tools_of(const json& tools) {
  json list = json::array();
  for (const json& tool : tools) {
    list.push_back({{"type", "function"},
                    {"function",
                     {{"name", tool["name"]},
                      {"description", tool["description"]},
                      {"parameters", tool["parameters"]}}}});
  }
  return list;
}

}  // namespace

json chat_body(const Request& request, const std::set<std::string>& dropped) {
  json body = {{"model", request.model}, {"messages", messages_of(request)}, {"stream", true}};
  const auto add = [&](const char* name, json value) {
    if (dropped.count(name) == 0) body[name] = std::move(value);
  };
  if (!request.tools.empty()) {
    body["tools"] = tools_of(request.tools);
    add("tool_choice", "auto");
    add("parallel_tool_calls", true);
  }
  add("stream_options", {{"include_usage", true}});
  if (!request.effort.empty()) add("reasoning_effort", request.effort);
  return body;
}

bool ChatReader::take(const std::string& name, const std::string& data) {
  if (done_ || failure_) return false;
  if (data == "[DONE]") {
    end();
    return false;
  }
  auto parsed = parse_json(data, kWireJson);
  if (!parsed || !parsed->is_object()) {
    fail({Failure::Kind::kNetwork,
          "the stream holds an event that is not JSON: " + printable(data, 120)});
    return false;
  }
  if (parsed->contains("error") && !(*parsed)["error"].is_null()) {
    fail(failure_of_error((*parsed)["error"], "the model's answer failed"));
  } else if (name == "error") {
    fail(failure_of_error(*parsed, "the model's answer failed"));
  } else {
    take_chunk(*parsed);
  }
  return !failure_;
}

void ChatReader::ended() {
  if (finished_ && !failure_) end();
}

void ChatReader::take_whole(const json& body) {
  if (body.contains("error") && !body["error"].is_null()) {
    return fail(failure_of_error(body["error"], "the model's answer failed"));
  }
  take_chunk(body);
  if (!finished_) return fail({Failure::Kind::kInvalid, "the server's answer holds no choices"});
  end();
}

void ChatReader::take_chunk(const json& chunk) {
  const json& usage = object_of(chunk, "usage");
  if (!usage.is_null()) {
    turn_.usage = {count_of(usage, "prompt_tokens"),
                   count_of(object_of(usage, "prompt_tokens_details"), "cached_tokens"),
                   count_of(usage, "completion_tokens"),
                   count_of(object_of(usage, "completion_tokens_details"), "reasoning_tokens")};
  }
  if (!chunk.contains("choices") || !chunk["choices"].is_array() || chunk["choices"].empty()) {
    return;
  }
  const json& choice = chunk["choices"][0];
  if (!choice.is_object()) return;
  take_delta(object_of(choice, choice.contains("delta") ? "delta" : "message"));
  const std::string reason = text_of(choice, "finish_reason");
  if (reason.empty()) return;
  finished_ = true;  // some servers then send the usage and [DONE], others end the stream
  turn_.cut = reason == "length";
  filtered_ = reason == "content_filter";
}

void ChatReader::take_delta(const json& delta) {
  turn_.text += text_of(delta, "content");
  turn_.refusal += text_of(delta, "refusal");
  if (!delta.is_object() || !delta.contains("tool_calls") || !delta["tool_calls"].is_array()) {
    return;
  }
  for (const json& call : delta["tool_calls"]) {
    if (call.is_object()) take_call(call);
  }
}

void ChatReader::take_call(const json& delta) {
  if (parts_.size() >= kMostCalls) {
    return fail({Failure::Kind::kInvalid,
                 "the answer holds more than " + std::to_string(kMostCalls) + " calls"});
  }
  const std::string id = text_of(delta, "id");
  const json& function = object_of(delta, "function");
  const std::string name = text_of(function, "name");
  Part* part = nullptr;
  if (delta.contains("index") && delta["index"].is_number_integer()) {
    const auto index = delta["index"].get<std::int64_t>();
    for (Part& known : parts_) {
      if (known.index == index) part = &known;
    }
    if (part == nullptr) part = &parts_.emplace_back(Part{index, {}});
  } else if (parts_.empty() || (!id.empty() && id != parts_.back().call.id) ||
             (id.empty() && !name.empty())) {
    // In a chunk without an index, a new id or a name starts another tool call.
    part = &parts_.emplace_back();
  } else {
    part = &parts_.back();
  }
  if (part->call.id.empty()) part->call.id = id;
  if (part->call.name.empty()) part->call.name = name;
  if (function.is_object() && function.contains("arguments") && function["arguments"].is_object()) {
    part->call.arguments = json_text(function["arguments"]);
  } else {
    part->call.arguments += text_of(function, "arguments");
  }
}

void ChatReader::end() {
  if (done_) return;
  if (!turn_.text.empty()) {
    turn_.items.push_back(
        {{"type", "message"},
         {"role", "assistant"},
         {"content", json::array({{{"type", "output_text"}, {"text", turn_.text}}})}});
  }
  if (filtered_ && turn_.refusal.empty()) turn_.refusal = kFiltered;
  if (!turn_.refusal.empty()) refuse(std::string(turn_.refusal));
  for (Part& part : parts_) {
    Call& call = part.call;
    if (call.id.empty()) call.id = "call_" + random_hex(6);
    turn_.items.push_back({{"type", "function_call"},
                           {"call_id", call.id},
                           {"name", call.name},
                           {"arguments", call.arguments}});
    turn_.calls.push_back(std::move(call));
  }
  done_ = true;
}

}  // namespace moonlet::executor
