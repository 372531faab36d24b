#include "host/executor/http/responses.h"

#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/failure.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;

/// Returns true for a reasoning item without content. It only refers to reasoning that the server
/// would have stored, but requests disable storage.
bool carries_nothing(const json& item) {
  return text_of(item, "type") == "reasoning" && text_of(item, "encrypted_content").empty() &&
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

bool ResponsesReader::take(const std::string& name, const std::string& data) {
  if (done_ || failure_) return false;
  if (data == "[DONE]") return true;
  auto parsed = parse_json(data, kWireJson);
  if (!parsed || !parsed->is_object()) {
    fail({Failure::Kind::kNetwork,
          "the stream holds an event that is not JSON: " + printable(data, 120)});
    return false;
  }
  const json& event = *parsed;
  std::string type = text_of(event, "type");
  if (type.empty()) type = name;
  if (type == "response.output_item.done") {
    take_item(object_of(event, "item"));
  } else if (type == "response.completed" || type == "response.incomplete") {
    end(object_of(event, "response"));
  } else if (type == "response.failed") {
    failed(object_of(object_of(event, "response"), "error"));
  } else if (type == "error") {
    failed(event.contains("error") ? event["error"] : event);
  }
  return !done_ && !failure_;
}

void ResponsesReader::take_whole(const json& body) {
  if (body.contains("error") && !body["error"].is_null()) return failed(body["error"]);
  if (!body.contains("output") || !body["output"].is_array()) {
    return fail({Failure::Kind::kInvalid, "the server's answer holds no output"});
  }
  end(body);
}

void ResponsesReader::take_item(const json& item) {
  const std::string type = text_of(item, "type");
  // Only the executor produces the output of tool calls, so ignore output that the server sends.
  if (type.empty() || type == "function_call_output" || carries_nothing(item)) return;
  json kept = item;
  if (type == "function_call") {
    Call call{text_of(item, "call_id"), text_of(item, "name"), text_of(item, "arguments")};
    if (call.id.empty()) call.id = text_of(item, "id");
    if (item.contains("arguments") && item["arguments"].is_object()) {
      call.arguments = json_text(item["arguments"]);
    }
    if (call.id.empty()) call.id = "call_" + std::to_string(turn_.calls.size() + 1);
    call.whole = text_of(item, "status") != "incomplete";
    kept["call_id"] = call.id;
    kept["name"] = call.name;
    kept["arguments"] = call.arguments;
    turn_.calls.push_back(std::move(call));
  } else if (type == "message") {
    kept["role"] = "assistant";
    take_message(item);
  }
  turn_.items.push_back(std::move(kept));
}

void ResponsesReader::take_message(const json& item) {
  const auto add = [](std::string& to, const std::string& text) {
    if (!to.empty() && !text.empty()) to += '\n';
    to += text;
  };
  if (!item.contains("content") || !item["content"].is_array()) {
    return add(turn_.text, text_of(item, "content"));
  }
  for (const json& part : item["content"]) {
    add(turn_.text, text_of(part, "text"));
    add(turn_.refusal, text_of(part, "refusal"));
  }
}

void ResponsesReader::end(const json& response) {
  // Some servers send the items only in the last event, with the whole response.
  if (turn_.items.empty() && response.contains("output") && response["output"].is_array()) {
    for (const json& item : response["output"]) take_item(item);
  }
  const json& usage = object_of(response, "usage");
  turn_.usage = {count_of(usage, "input_tokens"),
                 count_of(object_of(usage, "input_tokens_details"), "cached_tokens"),
                 count_of(usage, "output_tokens"),
                 count_of(object_of(usage, "output_tokens_details"), "reasoning_tokens")};
  if (text_of(response, "status") == "incomplete" || response.contains("incomplete_details")) {
    const std::string reason = text_of(object_of(response, "incomplete_details"), "reason");
    const bool filtered = reason == "content_filter";
    if (filtered && turn_.refusal.empty()) refuse(kFiltered);
    turn_.cut = !reason.empty() && !filtered;
  }
  done_ = true;
}

void ResponsesReader::failed(const json& error) {
  fail(failure_of_error(error, "the model's answer failed"));
}

}  // namespace moonlet::executor
