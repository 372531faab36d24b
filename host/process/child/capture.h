// Capture keeps the head and tail of a child's output stream, in a file or in memory.
// A note marks the omitted middle. Capture accepts every byte, so that neither much output nor a
// full disk blocks the child. Bytes that the disk refuses are buffered in memory, up to a limit.
// Owns its file. Single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/process/child/child.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet {

class Capture {
 public:
  /// Opens the file of a kFile target below `dir_fd` and empties it.
  /// Opening refuses symbolic links and files with other hard links.
  Result<void> open(int dir_fd, const OutputSpec& spec);
  /// Redacts secrets before storing bytes. Call it before the first feed().
  void redact(std::shared_ptr<const Redactor> redactor);

  /// Stores the next bytes. finish() reports write errors.
  void feed(std::string_view bytes);
  std::uint64_t total() const { return total_; }
  /// MakeRoom frees `bytes` on a full disk. Returns false if it cannot.
  using MakeRoom = std::function<bool(std::uint64_t bytes)>;
  /// Ends the stream and closes the file. Call finish() once.
  /// If only a full disk prevents storing the rest of the stream, calls `make_room` once.
  Captured finish(const MakeRoom& make_room = nullptr);

  /// Returns how many of the `cap` stored bytes are reserved for the end of the stream.
  static std::uint64_t tail_of(std::uint64_t cap);

 private:
  void keep(std::string_view bytes);
  void store(std::string_view bytes);
  std::size_t write_some(std::string_view bytes);
  void write_waiting();
  void settle_waiting(const MakeRoom& make_room);
  void remember(std::string_view bytes);
  void start_tail();
  std::string tail_text() const;
  void replace_end();
  void write_failed(int number);

  OutputSpec::Target target_ = OutputSpec::Target::kInline;
  Fd file_;
  std::string text_;  // the first cap_ bytes of a kInline stream
  std::uint64_t cap_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t seen_ = 0;    // received bytes, after redaction
  std::uint64_t stored_ = 0;  // bytes that `file_` or `text_` has stored
  std::string waiting_;       // received bytes that are not on the disk yet
  int trouble_ = 0;           // the errno of the last failed write
  int write_errno_ = 0;       // errno if bytes were lost (then nothing more is stored), else 0
  std::unique_ptr<char[]> tail_;
  std::uint64_t tail_size_ = 0, tail_used_ = 0, tail_at_ = 0;
  std::shared_ptr<const Redactor> redactor_;
  std::unique_ptr<StreamRedactor> stream_;
  std::string settled_;
};

}  // namespace moonlet
