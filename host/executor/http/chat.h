// Implements the Chat Completions API, for servers without the Responses API. Translates the
// conversation to chat messages, and the streamed chunks back to conversation items.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/executor/http/items.h"
#include "host/executor/http/turn.h"

namespace moonlet::executor {

nlohmann::json chat_body(const Request& request, const std::set<std::string>& dropped);

class ChatReader final : public TurnReader {
 public:
  void ended(bool marked) override;

 private:
  struct Part {
    std::optional<std::int64_t> index;  // no value if the server omits the index
    Call call;
  };

  void take_event(const std::string& type, const nlohmann::json& chunk) override;
  void take_body(const nlohmann::json& body) override;
  void take_delta(const nlohmann::json& delta);
  void take_call(const nlohmann::json& delta);
  void end();

  Said said_;
  std::vector<Part> parts_;
  bool finished_ = false;  // the server has sent a finish_reason
  bool filtered_ = false;  // the provider's content filter has ended the answer
};

}  // namespace moonlet::executor
