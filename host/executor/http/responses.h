// Implements the Responses API: builds requests that the server does not store (store: false), and
// parses the response's stream.
#pragma once

#include <set>
#include <string>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

/// Builds the body of POST /responses. Leaves out the optional fields that `dropped` names.
nlohmann::json responses_body(const Request& request, const std::set<std::string>& dropped);

class ResponsesReader final : public TurnReader {
 public:
  bool take(const std::string& name, const std::string& data) override;
  void take_whole(const nlohmann::json& body) override;

 private:
  void take_item(const nlohmann::json& item);
  void take_message(const nlohmann::json& item);
  void end(const nlohmann::json& response);
  void failed(const nlohmann::json& error);
};

}  // namespace moonlet::executor
