// ControlServer serves keeper.sock, through which commands list and end the keeper's children.
// A new host adopts the keeper through the socket. Any process of the same user may connect.
// No peer can block the worker: sizes are limited, and a peer that does not read is disconnected.
// Steps, and peers without a writable descriptor of keeper.log, may only list children.
// Otherwise a confined process could act as the host and start an unconfined child.
// ControlServer owns the socket files and the worker's SIGALRM. Worker thread.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/keeper/watch.h"
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
    /// Called for a peer that wants to be the host, after the greeting.
    /// Dropping its channel disconnects the peer.
    std::function<void(std::uint64_t generation, std::unique_ptr<Channel>)> adopt;
    /// Answers frames about a terminal. Returns false for other frames.
    std::function<bool(const Frame&, std::string& out)> terminal;
    /// Called for a peer that attaches to the terminal, with the peer's pid.
    std::function<void(NumberFrame, std::unique_ptr<Channel>, std::int32_t)> attach;
  };
  /// `Folder` has the borrowed descriptors of a folder, which gets a socket, and of its keeper.log.
  struct Folder {
    int dir_fd = -1, log_fd = -1;
  };
  /// The first of `folders` belongs to the run.
  ControlServer(uv_loop_t* loop, const std::vector<Folder>& folders, Handlers handlers);
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Makes keeper.sock in each folder without one, and replaces a dead keeper's socket.
  /// A failure of listen() disables only the commands. The current directory changes temporarily.
  void listen();
  /// Returns true if the socket in the run's folder exists.
  bool listening() const { return static_cast<bool>(sockets_[0].fd); }
  /// Removes the socket files and disconnects all peers.
  void close();

 private:
  struct Peer {
    std::unique_ptr<Channel> channel;
    std::optional<Error> refusal;  ///< refuses every frame but kStatus
    bool greeted = false;
    FdWatch watch;
  };

  struct Socket {
    Folder folder;
    Fd fd;
    FdWatch watch;
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
  Fd spare_fd_;
  std::list<Peer> open_;
};

}  // namespace moonlet
