#include "host/executor/http/turn.h"

#include "host/base/text.h"
#include "host/executor/http/failure.h"
#include "host/executor/http/items.h"

namespace moonlet::executor {

using nlohmann::json;

void TurnReader::take(const std::string& name, const std::string& data) {
  if (done_ || failure_) return;
  if (data == "[DONE]") return ended(true);
  auto event = parse_json(data, kWireJson);
  if (!event || !event->is_object()) {
    return fail({Failure::Kind::kNetwork,
                 "the stream holds an event that is not JSON: " + printable(data, 120)});
  }
  std::string type = text_of(*event, "type");
  if (type.empty()) type = name;
  if (failed(*event)) return;
  // Some servers name the event "error" and use `type` for the kind of error, for example
  // "invalid_request_error".
  if (type == "error" || name == "error") return fail_by(*event);
  take_event(type, *event);
}

void TurnReader::take_whole(const json& body) {
  if (!failed(body)) take_body(body);
}

bool TurnReader::failed(const json& object) {
  const auto error = object.find("error");
  if (error == object.end() || error->is_null()) return false;
  fail_by(*error);
  return true;
}

void TurnReader::fail_by(const json& error) { fail(failure_of_error(error)); }

}  // namespace moonlet::executor
