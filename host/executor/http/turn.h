// The vocabulary of one request to a model: the conversation that goes out, the turn that comes
// back, and the failure in its place. Plain values. A conversation is kept in the item format of
// the Responses API; chat.cpp translates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/base/json.h"

namespace moonlet::executor {

/// The limits of an answer. A session holds it some levels deeper, and must stay readable.
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
  std::string arguments;  ///< JSON text, as the model wrote it
  bool whole = true;      ///< false: the server broke the call off
};

struct Turn {
  nlohmann::json items = nlohmann::json::array();  ///< items of the model, to be sent back
  std::string text;                                ///< text of its messages
  std::string refusal;                             ///< the model, or its provider, refuses the task
  std::vector<Call> calls;
  Usage usage;
  bool cut = false;  ///< the answer ends where the model's room ends
};

/// The refusal in the place of an answer that the provider's filter withheld.
inline constexpr const char* kFiltered = "the provider's content filter withheld the answer";

struct Failure {
  enum class Kind {
    kNetwork,      ///< not reached, broken off, or a fault of the server: again after a while
    kRate,         ///< too many requests: again after a while
    kQuota,        ///< the account's limit is used up
    kAuth,         ///< no credential, or one that is not accepted
    kContext,      ///< the conversation does not fit into the model's window
    kNoSuchApi,    ///< the server does not have this path
    kRefused,      ///< the server refuses this request
    kInvalid,      ///< the answer cannot be used
    kTimeout,      ///< the wall limit is over
    kInterrupted,  ///< a signal asked for the end
  };

  Kind kind = Kind::kNetwork;
  std::string message;
  int status = 0;                    ///< status of HTTP; 0: there was none
  std::string code;                  ///< the provider's own word
  std::int64_t retry_after_ms = -1;  ///< the wait that the server asks for; -1: it does not say
};

/// The class names of events, as the runners of moonlet know them.
const char* to_string(Failure::Kind kind);

struct Request {
  std::string model;
  std::string effort;
  std::string instructions;
  std::string cache_key;
  nlohmann::json items;  ///< the conversation
  nlohmann::json tools;  ///< in the flat form of the Responses API
};

/// Collects one streamed answer. The two APIs differ; see responses.h and chat.h.
class TurnReader {
 public:
  virtual ~TurnReader() = default;
  /// Takes one event of the stream. False at the end: the stream is complete or has failed.
  virtual bool take(const std::string& name, const std::string& data) = 0;
  /// Takes the answer of a server that does not stream.
  virtual void take_whole(const nlohmann::json& body) = 0;
  /// The stream is over. Its end may stand for the event that says so.
  virtual void ended() {}
  /// True once the answer was seen to its end.
  bool done() const { return done_; }
  const std::optional<Failure>& failure() const { return failure_; }
  Turn& turn() { return turn_; }

 protected:
  void fail(Failure failure) { failure_ = std::move(failure); }
  /// Adds a refusal to the turn, in the form that the Responses API gives it.
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
