// Capture keeps one output stream of a child within a cap: its head and its tail, in a file or in
// memory, with a note of the cut between. It takes every byte whatever happens to the disk, so that
// a flood or a full disk never blocks the child. Bytes that the disk refuses wait in memory, up to
// a limit, for the next try. Owns its file. One thread.
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
  /// Opens the file of a kFile target beneath `dir_fd`, creating or emptying it; refuses links, and
  /// files with other names. kNull keeps and counts nothing.
  Result<void> open(int dir_fd, const OutputSpec& spec);
  /// Secrets are replaced before a byte is kept. Before the first feed().
  void redact(std::shared_ptr<const Redactor> redactor);

  /// Takes the next bytes. Errors of writing are kept for finish().
  void feed(std::string_view bytes);
  /// Bytes fed so far.
  std::uint64_t total() const { return total_; }
  /// Frees so many bytes of a disk that is full; false when it cannot.
  using MakeRoom = std::function<bool(std::uint64_t bytes)>;
  /// Brings the stream to its end and closes the file. Once. `make_room` is asked, at most once,
  /// for the bytes that a full disk still refuses, when they would make the stream complete.
  Captured finish(const MakeRoom& make_room = nullptr);

  /// The share of `cap` that is kept for the end of the stream.
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

  OutputSpec::Target target_ = OutputSpec::Target::kNull;
  Fd file_;
  std::string text_;  // kInline: the first cap_ bytes
  std::uint64_t cap_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t seen_ = 0;    // bytes after redaction
  std::uint64_t stored_ = 0;  // the part of seen_ in file_ or text_
  std::string waiting_;       // the bytes after those, not yet on the disk
  int trouble_ = 0;           // the errno that holds them back
  int write_errno_ = 0;       // not 0: bytes were lost, and none after them is stored
  std::unique_ptr<char[]> tail_;
  std::uint64_t tail_size_ = 0, tail_used_ = 0, tail_at_ = 0;
  std::shared_ptr<const Redactor> redactor_;
  std::unique_ptr<StreamRedactor> stream_;
  std::string settled_;
};

}  // namespace moonlet
