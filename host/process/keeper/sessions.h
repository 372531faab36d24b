// Sessions answers commands about children on a terminal: type, look, resize, attach.
// Only one user at a time may attach. Borrows the supervisor; owns the attached connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "host/base/loop.h"
#include "host/process/keeper/supervisor.h"
#include "host/process/keeper/watch.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

class Sessions {
 public:
  /// Borrows both arguments.
  Sessions(Loop& loop, Supervisor& supervisor);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  /// Answers a frame of type kType, kLook, kResize or kEndTerminal. Appends the answer to `out`.
  /// Returns false for a malformed frame or a frame of another type.
  bool answer(const Frame& frame, std::string& out);
  /// Attaches `channel`, whose peer is the process `pid`, to a terminal, or refuses and hangs up.
  void attach(NumberFrame wish, std::unique_ptr<Channel> channel, std::int32_t pid);
  /// Hangs up if the terminal's child has ended, and sends pending output.
  void before_waiting();

 private:
  struct Person {
    std::unique_ptr<Channel> channel;
    std::uint32_t number = 0;
    bool behind = false;  // output was dropped: redraw the screen
    FdWatch watch;
  };

  bool look(NumberFrame wish, std::string& out);
  Result<void> type(const TypeFrame& typed, bool is_person);
  Result<void> resize(NumberFrame wish, bool is_person);
  void serve_person();
  bool obey(const Frame& frame);
  void show(std::string_view bytes);
  void detach();

  Loop& loop_;
  Supervisor& supervisor_;
  std::optional<Person> person_;
  Loop::TimerId sampling_{}, flushing_{};
  bool is_sampling_ = false, is_flushing_ = false;
};

}  // namespace moonlet
