#include "host/executor/http/responses.h"

#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/items.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;

/// Returns true for reasoning without content, which only refers to what a server has stored.
bool carries_nothing(const json& item) {
  return is_type(item, "reasoning") && text_of(item, "encrypted_content").empty() &&
         (!item.contains("content") || item["content"].empty());
}

}  // namespace

json responses_body(const Request& request, const std::set<std::string>& dropped) {
  json body = {{"model", request.model},
               {"instructions", request.instructions},
               {"input", request.items},
               {"stream", true}};
  const auto add = [&](const char* name, json value) {
    if (dropped.count(name) == 0) body[name] = std::move(value);
  };
  if (!request.tools.empty()) {
    body["tools"] = request.tools;
    add("tool_choice", "auto");
    add("parallel_tool_calls", true);
  }
  add("store", false);
  add("include", json::array({"reasoning.encrypted_content"}));
  if (!request.effort.empty()) add("reasoning", {{"effort", request.effort}});
  if (!request.cache_key.empty()) add("prompt_cache_key", request.cache_key);
  return body;
}

void ResponsesReader::take_event(const std::string& type, const json& event) {
  if (type == "response.output_item.done") {
    take_item(object_of(event, "item"));
  } else if (type == "response.completed" || type == "response.incomplete") {
    end(object_of(event, "response"));
  } else if (type == "response.failed") {
    fail_by(object_of(object_of(event, "response"), "error"));
  }
}

void ResponsesReader::take_body(const json& body) {
  if (!body.contains("output") || !body["output"].is_array()) {
    return fail({Failure::Kind::kInvalid, "the server's answer holds no output"});
  }
  end(body);
}

void ResponsesReader::take_item(json item) {
  const std::string type = text_of(item, "type");
  // Only the executor produces the output of tool calls, so ignore output that the server sends.
  if (type.empty() || type == "function_call_output" || carries_nothing(item)) return;
  if (type == "message") item["role"] = "assistant";
  if (type == "function_call") {
    std::string id = text_of(item, "call_id");
    if (id.empty()) id = text_of(item, "id");
    if (id.empty()) id = "call_" + std::to_string(turn_.items.size() + 1);
    const json& object = object_of(item, "arguments");
    item["arguments"] = object.is_null() ? text_of(item, "arguments") : json_text(object);
    item["call_id"] = id;
    item["name"] = text_of(item, "name");
  }
  turn_.items.push_back(std::move(item));
}

void ResponsesReader::end(const json& response) {
  // Some servers send the items only in the last event, with the whole response.
  if (turn_.items.empty()) {
    for (const json& item : array_of(response, "output")) take_item(item);
  }
  const json& usage = object_of(response, "usage");
  turn_.usage = {count_of(usage, "input_tokens"),
                 count_of(object_of(usage, "input_tokens_details"), "cached_tokens"),
                 count_of(usage, "output_tokens"),
                 count_of(object_of(usage, "output_tokens_details"), "reasoning_tokens")};
  if (text_of(response, "status") == "incomplete" || response.contains("incomplete_details")) {
    const std::string reason = text_of(object_of(response, "incomplete_details"), "reason");
    const bool filtered = reason == "content_filter";
    Said said;
    for (const json& item : turn_.items) said.add(item);
    if (filtered && said.refusal.empty()) {
      turn_.items.push_back(message_item("assistant", "refusal", kFiltered));
    }
    turn_.cut = !reason.empty() && !filtered;
  }
  done_ = true;
}

}  // namespace moonlet::executor
