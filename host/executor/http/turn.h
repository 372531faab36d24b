// Declares the conversation, the returned turn and the failure of a request to a model.
// Conversations use the item format of the Responses API; chat.cpp translates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/base/json.h"

namespace moonlet::executor {

/// kWireJson limits an answer. A session nests the answer deeper and must stay readable.
inline constexpr JsonLimits kWireJson{std::size_t{64} << 20, 64, 2'000'000, BigIntegers::kDouble};

struct Usage {
  std::int64_t input = 0, cached = 0, output = 0, reasoning = 0;

  Usage& operator+=(const Usage& other) {
    input += other.input;
    cached += other.cached;
    output += other.output;
    reasoning += other.reasoning;
    return *this;
  }
  bool empty() const { return input == 0 && output == 0; }
};

struct Call {
  std::string id;  ///< unique within the conversation
  std::string name;
  std::string arguments;  ///< JSON text by the model, unchecked
  bool whole = true;      ///< false: the answer ended within the call
};

struct Turn {
  nlohmann::json items = nlohmann::json::array();  ///< items of the model, to be sent back
  std::string text;                                ///< the text of the turn's messages
  std::string refusal;  ///< set if the model or its provider refuses the task
  std::vector<Call> calls;
  Usage usage;
  bool cut = false;  ///< the answer ends at the limit of output tokens
};

/// kFiltered is the refusal for an answer that the provider's filter withheld.
inline constexpr const char* kFiltered = "the provider's content filter withheld the answer";

struct Failure {
  enum class Kind {
    kNetwork,      ///< the connection failed or broke, or the server has a fault; retry later
    kRate,         ///< too many requests; retry later
    kQuota,        ///< the account's limit is used up
    kAuth,         ///< a missing or refused credential
    kContext,      ///< the conversation does not fit into the model's window
    kNoSuchApi,    ///< the server does not have this path
    kRefused,      ///< the server refuses this request
    kInvalid,      ///< the answer cannot be used
    kTimeout,      ///< the wall limit is reached
    kInterrupted,  ///< a signal asked for the end
  };

  Kind kind = Kind::kNetwork;
  std::string message;
  int status = 0;                    ///< the HTTP status; 0: no answer
  std::string code;                  ///< the provider's error code
  std::int64_t retry_after_ms = -1;  ///< the wait that the server asks for; -1: none
};

/// Returns the kind's name in the JSON events, which moonlet's runners know.
const char* to_string(Failure::Kind kind);

struct Request {
  std::string model;
  std::string effort;
  std::string instructions;
  std::string cache_key;
  nlohmann::json items;  ///< the conversation
  nlohmann::json tools;  ///< in the flat form of the Responses API
};

/// TurnReader collects a streamed answer. See responses.h and chat.h.
class TurnReader {
 public:
  virtual ~TurnReader() = default;
  /// Handles an event of the stream. Returns false after the last event.
  virtual bool take(const std::string& name, const std::string& data) = 0;
  /// Handles the answer of a server that does not stream.
  virtual void take_whole(const nlohmann::json& body) = 0;
  /// Handles the end of the stream, which some servers use instead of a final event.
  virtual void ended() {}
  /// Returns true once the answer is complete.
  bool done() const { return done_; }
  const std::optional<Failure>& failure() const { return failure_; }
  Turn& turn() { return turn_; }

 protected:
  void fail(Failure failure) { failure_ = std::move(failure); }
  /// Adds a refusal to the turn, in the format of the Responses API.
  void refuse(const std::string& text) {
    turn_.refusal = text;
    turn_.items.push_back(
        {{"type", "message"},
         {"role", "assistant"},
         {"content", nlohmann::json::array({{{"type", "refusal"}, {"refusal", text}}})}});
  }

  Turn turn_;
  bool done_ = false;
  std::optional<Failure> failure_;
};

}  // namespace moonlet::executor
