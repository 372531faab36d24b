// The protocol between a keeper's worker and a host or command.
// A frame has a length, a type and little-endian fields in a fixed order.
// Both ends check the protocol version first.
// The decoder accepts hostile bytes: no nesting, and each length is checked before an allocation.
// Hand-written, because nlohmann/json's CBOR took 45 µs, not 3, for a start and its exit.
// All functions are pure and may run on any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/fd.h"
#include "host/process/child/child.h"

namespace moonlet {

/// A keeper listens on this socket in the run's folder.
inline constexpr const char* kKeeperSocketName = "keeper.sock";

/// Increase kKeeperProtocol with every change of a field or its meaning.
inline constexpr std::uint32_t kKeeperProtocol = 8;
/// Maximum size of a frame from a host. A frame can contain a child's arguments and environment.
inline constexpr std::size_t kHostFrameLimit = 8u << 20;
/// Maximum size of a frame from a command, for example of one with text for a terminal.
inline constexpr std::size_t kControlFrameLimit = 80u << 10;
/// Maximum `cap` of a stream that is captured in memory and sent to the host.
inline constexpr std::uint64_t kInlineLimit = 32u << 20;
/// A frame from the worker holds both captured streams of a step.
inline constexpr std::size_t kWorkerFrameLimit = 2 * kInlineLimit + (16u << 20);

enum class FrameType : std::uint8_t {
  kHello = 1,  ///< each side sends this first
  kStart,      ///< host: starts a child, optionally with a descriptor as stdin
  kCancel,     ///< ends a child; with value 1 from the host, the child ends as kFinished
  kStatus,     ///< requests the list of live children
  kShutdown,   ///< ends the keeper when the last child has completed
  kStarted,    ///< worker: a child runs
  kExit,       ///< worker: a child has completed
  kLive,       ///< worker: the answer to kStatus
  kRefused,    ///< worker: refuses to work, or refuses this peer; then disconnects
  kDone,       ///< worker: tells a command that its request is accepted; a host never gets kDone
  kEnd,        ///< host: exits normally, and makes the keeper end every child
  // A sender proves its permission with a descriptor that can write keeper.log. A new host sends it
  // with kAdopt, and a command with kCancel and kShutdown.
  kAdopt,       ///< a new host takes over; the value is the host's generation
  kAdopted,     ///< worker: accepts a host; lists live children, and those whose kExit follows
  kSuperseded,  ///< worker: hangs up on a host, because another host has taken over
  kHoldIdle,    ///< host: pauses (1) or restarts (0) a child's idle limit
  // Commands send the frames below to a keeper whose child has a terminal. Like kAdopt, these
  // frames carry a descriptor that can write keeper.log.
  kType,    ///< types into the terminal; answered by kDone
  kLook,    ///< requests the screen with some lines of history; answered by kText
  kResize,  ///< sets the size to rows << 16 | columns; answered by kDone
  // After kAttach, the worker sends all output to the peer as kText. It does not answer the peer's
  // kType and kResize.
  kAttach,       ///< resizes like kResize; then only this peer may type and resize
  kEndTerminal,  ///< ends the child; the value is its grace period in ms; answered by kDone
  kText,         ///< worker: answers kLook, or sends output to an attached peer
};

struct HelloFrame {
  std::uint32_t protocol = kKeeperProtocol;
  std::string version, token;
  std::int32_t guard_pid = 0, worker_pid = 0;
};

/// StartFrame carries a ChildSpec to the supervisor.
/// argv and env are NUL-terminated strings, because exec needs pointers into them.
struct StartFrame {
  std::uint32_t number = 0;
  bool has_stdin = false;
  Fd stdin_fd;  ///< the descriptor that came with the frame
  std::uint32_t argc = 0, envc = 0;
  std::string argv, env;
  std::string logged_argv;  ///< argv or its redacted form
  bool redacted = false;    ///< argv or the working directory contains a secret
  ChildSpec spec;           ///< its `argv`, `redacted_argv`, `env` and `stdin_fd` are unused
};

/// TypeFrame has input to type into a terminal. A part is a TypedPart::Kind and its text.
struct TypeFrame {
  std::uint32_t number = 0;
  std::string tag;  ///< input whose tag was typed before is ignored; empty: no tag
  std::vector<std::pair<std::uint8_t, std::string>> parts;
};

/// AdoptedFrame answers kAdopt. It also lists the ended children whose kExit the worker sends next.
/// These have no start time.
struct AdoptedFrame {
  std::uint32_t highest = 0;  ///< the highest child number that any host has used
  std::vector<ChildRecord> children;
};

/// Each function appends a whole frame to `out`.
void encode(std::string& out, const HelloFrame& hello);
/// Fails for arguments that exec cannot accept: a NUL byte, an empty argv, or too many bytes.
Result<void> encode_start(std::string& out, std::uint32_t number, const ChildSpec& spec);
void encode_number(std::string& out, FrameType type, std::uint32_t number, std::int64_t value = 0);
void encode(std::string& out, const TypeFrame& typed);
void encode_text(std::string& out, std::string_view text);
void encode_exit(std::string& out, std::uint32_t number, const ChildExit& exit);
void encode(std::string& out, const std::vector<ChildRecord>& live);
void encode(std::string& out, const AdoptedFrame& adopted);
/// Appends a frame of type kRefused or kSuperseded.
void encode_refused(std::string& out, const Error& error, FrameType type = FrameType::kRefused);

/// Frame is a received frame. Its views point into the input buffer.
struct Frame {
  FrameType type{};
  std::string_view body;
};

/// Removes the next frame from the front of `bytes`. Returns no value for an incomplete frame.
/// Fails if the frame exceeds `limit`, because the peer is then not a moonlet.
Result<std::optional<Frame>> next_frame(std::string_view& bytes, std::size_t limit);

/// Each function decodes the body of a frame. It returns no value if the body is malformed.
std::optional<HelloFrame> decode_hello(std::string_view body);
std::optional<StartFrame> decode_start(std::string_view body);
struct NumberFrame {
  std::uint32_t number = 0;
  std::int64_t value = 0;
};
std::optional<NumberFrame> decode_number(std::string_view body);
std::optional<TypeFrame> decode_type(std::string_view body);
std::optional<std::string> decode_text(std::string_view body);
struct ExitFrame {
  std::uint32_t number = 0;
  ChildExit exit;
};
std::optional<ExitFrame> decode_exit(std::string_view body);
std::optional<std::vector<ChildRecord>> decode_live(std::string_view body);
std::optional<AdoptedFrame> decode_adopted(std::string_view body);
std::optional<Error> decode_refused(std::string_view body);

/// Returns an error if the peer has another version of the protocol.
std::optional<Error> check_protocol(const HelloFrame& hello);

}  // namespace moonlet
