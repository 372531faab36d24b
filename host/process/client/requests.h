// Requests to a running keeper over keeper.sock: list its children, cancel one, shut it down, or
// become its host. Blocking, a few seconds at most each; owns nothing between calls. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/process/wire/channel.h"
#include "host/process/wire/protocol.h"

namespace moonlet {

/// kInvalid when no keeper listens there.
Result<std::vector<ChildRecord>> keeper_live(int run_dir_fd);
Result<void> keeper_cancel(int run_dir_fd, std::uint32_t number);
Result<void> keeper_shutdown(int run_dir_fd);

/// Sends one frame that needs the right to write the run's record; gives the body of the answer,
/// which must be of that type.
Result<std::string> keeper_request(int run_dir_fd, std::string_view frame, FrameType answer);
/// The same, and keeps the connection, which may hold frames already.
struct ConnectedKeeper {
  std::unique_ptr<Channel> channel;
  std::string body;
};
Result<ConnectedKeeper> keeper_connect(int run_dir_fd, std::string_view frame, FrameType answer);

/// A connection to a keeper whose host the caller has become.
struct AdoptedKeeper {
  std::unique_ptr<Channel> channel;  ///< may hold frames already
  HelloFrame hello;
  AdoptedFrame adopted;
};
/// Becomes the host of the keeper in this directory, in place of one with a lower generation. Empty
/// when no keeper works there, nor will: a keeper that is ending is waited for, and a sweep, too.
/// kDenied when a host of this or a higher generation is there, or the peer is a confined step of
/// another run, or the caller may not write the run's record; kTimeout when neither is certain
/// after about ten seconds.
Result<std::optional<AdoptedKeeper>> adopt_keeper(int run_dir_fd, std::uint64_t generation);

}  // namespace moonlet
