// Implements the Responses API. Its requests ask the server to store nothing.
#pragma once

#include <set>
#include <string>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

/// Builds the body of POST /responses. Leaves out the optional fields that `dropped` names.
nlohmann::json responses_body(const Request& request, const std::set<std::string>& dropped);

class ResponsesReader final : public TurnReader {
 public:
  void ended(bool) override {}

 private:
  void take_event(const std::string& type, const nlohmann::json& event) override;
  void take_body(const nlohmann::json& body) override;
  void take_item(nlohmann::json item);
  void end(const nlohmann::json& response);
};

}  // namespace moonlet::executor
