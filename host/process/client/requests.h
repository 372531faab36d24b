// Sends requests to a running keeper over keeper.sock: list or cancel children, shut down, adopt.
// Each request blocks for at most a few seconds and keeps no state. Any thread.
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

/// Lists the keeper's children. Fails with kInvalid if no keeper listens.
Result<std::vector<ChildRecord>> keeper_live(int run_dir_fd);
/// Sends a frame that needs the right to write the run's record.
/// Returns the body of the answer, which must have the type `answer`.
Result<std::string> keeper_request(int run_dir_fd, std::string_view frame, FrameType answer);
/// Sends a numbered frame like keeper_request(). The keeper answers that it is done.
Result<void> keeper_command(int run_dir_fd, FrameType type, std::uint32_t number = 0,
                            std::int64_t value = 0);
Result<void> keeper_cancel(int run_dir_fd, std::uint32_t number);
Result<void> keeper_shutdown(int run_dir_fd);
/// ConnectedKeeper is an open connection. Its channel may already contain more frames.
struct ConnectedKeeper {
  std::unique_ptr<Channel> channel;
  std::string body;
};
Result<ConnectedKeeper> keeper_connect(int run_dir_fd, std::string_view frame, FrameType answer);

/// AdoptedKeeper is the connection to a keeper that this process has taken over.
struct AdoptedKeeper {
  std::unique_ptr<Channel> channel;  ///< may already contain received frames
  HelloFrame hello;
  AdoptedFrame adopted;
};
/// Makes the caller the host of the keeper in this directory.
/// Returns no value if no keeper works there. Waits for an ending keeper or a sweep.
/// Fails with kDenied if a host of an equal or higher generation drives the keeper.
/// Fails with kDenied if the process there is a confined step of another run.
/// Fails with kDenied also without write access to the run's record.
/// Fails with kTimeout after about ten seconds.
Result<std::optional<AdoptedKeeper>> adopt_keeper(int run_dir_fd, std::uint64_t generation);

}  // namespace moonlet
