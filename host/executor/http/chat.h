// Speaks the Chat Completions API for servers without the Responses API.
// Translates the conversation to messages, and the stream of chunks back to items.
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
    std::optional<std::int64_t> index;  // missing for some servers
    Call call;
  };

  void take_chunk(const nlohmann::json& chunk);
  void take_delta(const nlohmann::json& delta);
  void take_call(const nlohmann::json& delta);
  void end();

  std::vector<Part> parts_;
  bool finished_ = false;  // a finish_reason was seen
  bool filtered_ = false;  // the provider's filter ended the answer
};

}  // namespace moonlet::executor
