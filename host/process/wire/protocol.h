// The protocol between the host (or a later command) and the keeper's worker: frames of a length, a
// type and fields in a fixed order, little-endian, of one version that both ends check first. The
// decoder takes hostile bytes: it never nests, and checks each length before it allocates. Fields
// are encoded by hand: with nlohmann/json's CBOR, a start and its exit took 45 µs instead of 3, a
// third of the time budget of a child. Pure functions, any thread.
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

/// The socket in the run's folder where a keeper listens.
inline constexpr const char* kKeeperSocketName = "keeper.sock";

/// Increase it with every change of a field or its meaning.
inline constexpr std::uint32_t kKeeperProtocol = 8;
/// Longest frame: from the host (arguments and environment), from the worker (captured text), and
/// from a command.
inline constexpr std::size_t kHostFrameLimit = 8u << 20;
inline constexpr std::size_t kWorkerFrameLimit = 80u << 20;
inline constexpr std::size_t kControlFrameLimit = 80u << 10;
/// Greatest cap of a captured inline stream; two of them fit a frame.
inline constexpr std::uint64_t kInlineLimit = 32u << 20;

enum class FrameType : std::uint8_t {
  kHello = 1,  ///< both ways, first
  kStart,      ///< host: a child; may carry a descriptor for its stdin
  kCancel,     ///< ends one child; with value 1 from its own host: the child counts as finished
  kStatus,     ///< asks for the live children
  kShutdown,   ///< end when the last child has completed
  kStarted,    ///< worker: a child runs
  kExit,       ///< worker: a child has completed
  kLive,       ///< worker: the answer to kStatus
  kRefused,    ///< worker: it cannot work, or not for this peer; then it disconnects
  kDone,       ///< worker: accepted kCancel or kShutdown; sent to commands, not to the host
  kEnd,        ///< host: it exits normally; end every child now
  kAdopt,      ///< a new host, over keeper.sock: its value is the host's generation. As with a
               ///< command's kCancel and kShutdown a descriptor to write keeper.log comes along.
  kAdopted,  ///< worker: it is the host now; the live children, and those that ended without a host
  kSuperseded,  ///< worker: another host has taken over; then it disconnects
  kHoldIdle,    ///< host: the idle limit of a child stands still (1), or begins anew (0)
  // Sent by a command to a keeper whose child runs on a terminal, with the proof that kCancel
  // needs.
  kType,    ///< types into the terminal; kDone
  kLook,    ///< asks for its screen and facts, with so many lines of history; kText
  kResize,  ///< gives it a size, rows << 16 | columns; kDone
  kAttach,  ///< the same, and the peer takes the terminal over: its kType and kResize are obeyed
            ///< from now on without an answer, and all output comes as kText
  kEndTerminal,  ///< ends its child as kCancel does, with so many milliseconds of grace; kDone
  kText,         ///< worker: one text
};

struct HelloFrame {
  std::uint32_t protocol = kKeeperProtocol;
  std::string version, token;
  std::int32_t guard_pid = 0, worker_pid = 0;
};

/// A ChildSpec on its way to the supervisor; argv and env are NUL-ended strings one after the
/// other, because exec only needs pointers into them.
struct StartFrame {
  std::uint32_t number = 0;
  bool has_stdin = false;
  Fd stdin_fd;  ///< the descriptor that came along; not part of the frame
  std::uint32_t argc = 0, envc = 0;
  std::string argv, env;
  std::string logged_argv;  ///< argv, or its redacted form
  bool redacted = false;    ///< argv or the folder holds a secret
  ChildSpec spec;           ///< argv, redacted_argv, env and stdin_fd unused
};

/// Input to type; each part has a kind of TypedPart.
struct TypeFrame {
  std::uint32_t number = 0;
  std::string tag;  ///< typed only once under this name; empty: always
  std::vector<std::pair<std::uint8_t, std::string>> parts;
};

/// The answer to kAdopt. A child that has ended already has no start time, and a kExit follows.
struct AdoptedFrame {
  std::uint32_t highest = 0;  ///< number that any host has used
  std::vector<ChildRecord> children;
};

/// Each of these appends one whole frame to `out`.
void encode(std::string& out, const HelloFrame& hello);
/// Fails for arguments that exec cannot accept: a NUL byte, an empty argv, or more than a frame
/// holds.
Result<void> encode_start(std::string& out, std::uint32_t number, const ChildSpec& spec);
void encode_number(std::string& out, FrameType type, std::uint32_t number, std::int64_t value = 0);
void encode(std::string& out, const TypeFrame& typed);
/// Appends a frame of type kText.
void encode_text(std::string& out, std::string_view text);
void encode_exit(std::string& out, std::uint32_t number, const ChildExit& exit);
void encode(std::string& out, const std::vector<ChildRecord>& live);
void encode(std::string& out, const AdoptedFrame& adopted);
/// Appends a frame of `type` kRefused or kSuperseded.
void encode_refused(std::string& out, const Error& error, FrameType type = FrameType::kRefused);

/// One received frame; the views live as long as the buffer it was cut from.
struct Frame {
  FrameType type{};
  std::string_view body;
};

/// Removes the next frame from the front of `bytes`. Empty: more bytes are needed. Error: longer
/// than `limit`, so the peer is not a moonlet.
Result<std::optional<Frame>> next_frame(std::string_view& bytes, std::size_t limit);

/// These return nothing if the body does not match the type.
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

/// "the keeper speaks protocol 2 …": the message when the versions differ; empty when they agree.
std::optional<Error> check_protocol(const HelloFrame& hello);

}  // namespace moonlet
