// Implements the Chat Completions API, for servers without the Responses API. Translates the
// conversation to chat messages, and the streamed chunks back to conversation items.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

nlohmann::json chat_body(const Request& request, const std::set<std::string>& dropped);

class ChatReader final : public TurnReader {
 public:
  bool take(const std::string& name, const std::string& data) override;
  void take_whole(const nlohmann::json& body) override;
  void ended() override;

 private:
  struct Part {
    std::optional<std::int64_t> index;  // no value if the server omits the index
    Call call;
  };

  void take_chunk(const nlohmann::json& chunk);
  void take_delta(const nlohmann::json& delta);
  void take_call(const nlohmann::json& delta);
  void end();

  std::vector<Part> parts_;
  bool finished_ = false;  // the server has sent a finish_reason
  bool filtered_ = false;  // the provider's content filter has ended the answer
};

}  // namespace moonlet::executor
