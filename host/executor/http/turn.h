// Declares a model request, the turn that answers it, and a failure. Conversations use the item
// format of the Responses API; chat.cpp translates it for Chat Completions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "host/base/json.h"

namespace moonlet::executor {

/// These limits allow less nesting than kRecordJsonLimits, because session files embed answers.
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

struct Turn {
  nlohmann::json items = nlohmann::json::array();  ///< the model's output; later requests repeat it
  Usage usage;
  bool cut = false;  ///< the answer was cut off at the limit of output tokens
};

/// The refusal that is recorded when the provider's content filter withholds an answer.
inline constexpr const char* kFiltered = "the provider's content filter withheld the answer";

struct Failure {
  enum class Kind {
    kNetwork,      ///< the connection failed, or the server has an internal error; retry later
    kRate,         ///< too many requests; retry later
    kQuota,        ///< the account's quota is used up
    kAuth,         ///< the credential is missing or was rejected
    kContext,      ///< the conversation is larger than the model's context window
    kNoSuchApi,    ///< the server does not have this path
    kRefused,      ///< the server rejects the request
    kInvalid,      ///< the answer is malformed
    kTimeout,      ///< the wall-clock limit was reached
    kInterrupted,  ///< a signal asked the process to end
  };

  Kind kind = Kind::kNetwork;
  std::string message;
  int status = 0;                    ///< the HTTP status; 0 if there was no response
  std::int64_t retry_after_ms = -1;  ///< how long the server asks to wait; -1: unknown
};

/// Returns the kind's name in JSON events. moonlet's runners know these names.
const char* to_string(Failure::Kind kind);

struct Request {
  std::string model;
  std::string effort;
  std::string instructions;
  std::string cache_key;
  nlohmann::json items;  ///< the conversation
  nlohmann::json tools;  ///< in the format of the Responses API, without a "function" object
};

/// TurnReader collects a streamed answer of the model. responses.h and chat.h implement it.
class TurnReader {
 public:
  virtual ~TurnReader() = default;
  /// Handles an event of the stream.
  void take(const std::string& name, const std::string& data);
  /// Handles the whole answer of a server that does not support streaming.
  void take_whole(const nlohmann::json& body);
  /// Handles the end of the stream. `marked` is true if the server has sent "[DONE]".
  virtual void ended(bool marked) = 0;
  /// Returns true once the answer is complete.
  bool done() const { return done_; }
  const std::optional<Failure>& failure() const { return failure_; }
  Turn& turn() { return turn_; }

 protected:
  virtual void take_event(const std::string& type, const nlohmann::json& event) = 0;
  virtual void take_body(const nlohmann::json& body) = 0;
  void fail(Failure failure) { failure_ = std::move(failure); }
  /// Fails with an error object that the server has sent.
  void fail_by(const nlohmann::json& error);

  Turn turn_;
  bool done_ = false;
  std::optional<Failure> failure_;

 private:
  bool failed(const nlohmann::json& object);
};

}  // namespace moonlet::executor
