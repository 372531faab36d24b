// The Chat Completions API, for servers that have nothing else: the conversation translated into
// messages, and the stream of chunks back into items.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/executor/http/turn.h"

namespace moonlet::executor {

/// The body of POST /chat/completions.
nlohmann::json chat_body(const Request& request, const std::set<std::string>& dropped);

class ChatReader final : public TurnReader {
 public:
  bool take(const std::string& name, const std::string& data) override;
  void take_whole(const nlohmann::json& body) override;
  void ended() override;

 private:
  struct Part {
    std::optional<std::int64_t> index;  // some servers send none
    Call call;
  };

  void take_chunk(const nlohmann::json& chunk);
  void take_delta(const nlohmann::json& delta);
  void take_call(const nlohmann::json& delta);
  void end();

  std::vector<Part> parts_;
  bool finished_ = false;  // a finish_reason was seen
  bool filtered_ = false;  // its reason is the provider's filter
};

}  // namespace moonlet::executor
