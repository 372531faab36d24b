// Sessions answers what commands ask about the children that run on a terminal: it types, shows,
// resizes, and gives a terminal to a person who takes it over, one at a time. Borrows the
// supervisor; owns the connection to that person. Worker thread.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>

#include "host/base/loop.h"
#include "host/process/keeper/supervisor.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

class Sessions {
 public:
  /// Both are borrowed.
  Sessions(Loop& loop, Supervisor& supervisor);
  ~Sessions();
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  /// Appends the answer to kType, kLook, kResize or kEndTerminal; false for another frame, or a
  /// malformed one.
  bool answer(const Frame& frame, std::string& out);
  /// Gives a terminal to the peer of `channel`, the process `pid`, or refuses and hangs up.
  void attach(NumberFrame wish, std::unique_ptr<Channel> channel, std::int32_t pid);
  /// Hangs up, where the terminal's child has ended, and sends what is to be sent.
  void before_waiting();

 private:
  struct Person;

  Result<void> type(const TypeFrame& typed, bool is_person);
  Result<void> resize(NumberFrame wish, bool is_person);
  Supervisor::OnTerminal find(std::uint32_t number) const;
  void serve_person();
  bool obey(const Frame& frame);
  void show(std::string_view bytes);
  void detach();

  Loop& loop_;
  Supervisor& supervisor_;
  Person* person_ = nullptr;
  Loop::TimerId sampling_{}, flushing_{};
  bool is_sampling_ = false, is_flushing_ = false;
};

}  // namespace moonlet
