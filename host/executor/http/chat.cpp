#include "host/executor/http/chat.h"

#include "host/base/id.h"
#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/items.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
constexpr std::size_t kMostCalls = 1000;

std::string message_text(const json& item) {
  Said said;
  said.add(item);
  return joined(said.text, said.refusal);
}

/// Returns the last message if it is the assistant's, otherwise adds one. A text and the tool calls
/// of one turn belong in one message.
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
      message["content"] = joined(text_of(message, "content"), message_text(item));
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

void ChatReader::ended(bool marked) {
  if (marked || (finished_ && !failure_)) end();
}

void ChatReader::take_body(const json& body) {
  take_event({}, body);
  if (!finished_) return fail({Failure::Kind::kInvalid, "the server's answer holds no choices"});
  end();
}

void ChatReader::take_event(const std::string&, const json& chunk) {
  const json& usage = object_of(chunk, "usage");
  if (!usage.is_null()) {
    turn_.usage = {count_of(usage, "prompt_tokens"),
                   count_of(object_of(usage, "prompt_tokens_details"), "cached_tokens"),
                   count_of(usage, "completion_tokens"),
                   count_of(object_of(usage, "completion_tokens_details"), "reasoning_tokens")};
  }
  const json& choices = array_of(chunk, "choices");
  if (choices.empty() || !choices[0].is_object()) return;
  const json& choice = choices[0];
  take_delta(object_of(choice, choice.contains("delta") ? "delta" : "message"));
  const std::string reason = text_of(choice, "finish_reason");
  if (reason.empty()) return;
  finished_ = true;  // some servers then send the usage and [DONE], others end the stream
  turn_.cut = reason == "length";
  filtered_ = reason == "content_filter";
}

void ChatReader::take_delta(const json& delta) {
  said_.text += text_of(delta, "content");
  said_.refusal += text_of(delta, "refusal");
  for (const json& call : array_of(delta, "tool_calls")) {
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
  const json& whole = object_of(function, "arguments");
  if (whole.is_null()) {
    part->call.arguments += text_of(function, "arguments");
  } else {
    part->call.arguments = json_text(whole);
  }
}

void ChatReader::end() {
  if (done_) return;
  if (filtered_ && said_.refusal.empty()) said_.refusal = kFiltered;
  for (const auto& [type, text] :
       {std::pair("output_text", said_.text), {"refusal", said_.refusal}}) {
    if (!text.empty()) turn_.items.push_back(message_item("assistant", type, text));
  }
  for (const Part& part : parts_) {
    const Call& call = part.call;
    turn_.items.push_back({{"type", "function_call"},
                           {"call_id", call.id.empty() ? "call_" + random_hex(6) : call.id},
                           {"name", call.name},
                           {"arguments", call.arguments}});
  }
  done_ = true;
}

}  // namespace moonlet::executor
