// keeper.sock: later commands list a keeper's children here and end them, and a new host takes it
// over. Any process of the same user may connect. None can hold the worker up: requests are small,
// answers are bounded, and a peer that does not read is hung up on. Most peers may only look, for a
// host could start a child that its own confinement forbids: a step of this keeper, a confined step
// of any other, and a peer that does not prove, by a descriptor, that it may write the keeper.log
// of a folder where this listens. Owns the socket files, and the worker's SIGALRM. Worker thread.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

class ControlServer {
 public:
  struct Handlers {
    std::function<HelloFrame()> hello;
    std::function<std::vector<ChildRecord>()> live;
    std::function<void(std::uint32_t)> cancel;
    std::function<void()> shutdown;
    /// A peer that wants to be the host, and has been greeted. Dropping its channel hangs up.
    std::function<void(std::uint64_t generation, std::unique_ptr<Channel>)> adopt;
    /// Answers what concerns a terminal; false for another frame.
    std::function<bool(const Frame&, std::string& out)> terminal;
    /// A peer that takes a terminal over, and the pid of its process.
    std::function<void(NumberFrame, std::unique_ptr<Channel>, std::int32_t)> attach;
  };
  /// A folder in which it listens, and the keeper.log there; both borrowed.
  struct Folder {
    int dir_fd = -1, log_fd = -1;
  };
  /// The first folder is that of the run.
  ControlServer(uv_loop_t* loop, const std::vector<Folder>& folders, Handlers handlers);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Makes keeper.sock in each folder where it does not listen yet, in place of a dead keeper's.
  /// Without it, after a failure, the keeper lacks only those commands. The current directory is
  /// that of the run again when it returns.
  void listen();
  /// True when it listens in the folder of the run.
  bool listening() const { return sockets_[0].fd >= 0; }
  /// Removes the socket files and hangs up on everybody.
  void close();

 private:
  struct Peer {
    ControlServer* server = nullptr;
    std::unique_ptr<Channel> channel;
    uv_poll_t poll{};
    bool greeted = false;
    std::optional<Error> refusal;  ///< refuses every command but looking
    bool closing = false;
  };

  struct Socket {
    ControlServer* server = nullptr;
    Folder folder;
    int fd = -1;
    uv_poll_t* poll = nullptr;
  };

  void listen_in(Socket& socket);
  void accept_all(int socket_fd);
  void serve(Peer& peer);
  bool answer(Peer& peer, const Frame& frame);
  std::optional<Error> refuse_command(Peer& peer);
  void hang_up(Peer& peer);
  std::unique_ptr<Channel> release(Peer& peer);

  uv_loop_t* loop_;
  std::vector<Socket> sockets_;
  Handlers handlers_;
  int spare_fd_ = -1;
  std::list<Peer*> open_;
};

}  // namespace moonlet
