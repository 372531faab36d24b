#include "host/process/child/capture.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/catch.h"

using namespace moonlet;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/moonlet-capture-XXXXXX";
    path_ = mkdtemp(name);
    fd_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  }
  ~Folder() {
    ::close(fd_);
    std::filesystem::remove_all(path_);
  }
  int fd() const { return fd_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
  int fd_;
};

std::string numbered(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

std::string expected(const std::string& text, std::size_t cap) {
  if (text.size() <= cap) return text;
  std::size_t tail = static_cast<std::size_t>(Capture::tail_of(cap));
  return text.substr(0, cap - tail) + "\n[moonlet: " + std::to_string(text.size() - cap) +
         " bytes cut here]\n" + text.substr(text.size() - tail);
}

}  // namespace

TEST_CASE("a stream is kept whole up to its cap, then head and tail, for any sizes of its pieces") {
  Folder folder;
  for (std::size_t cap : {1u, 2u, 7u, 100u, 1000u, 300000u}) {
    for (std::size_t size :
         {0u, 1u, 2u, 6u, 7u, 8u, 99u, 100u, 101u, 140u, 5000u, 299999u, 700000u}) {
      for (std::size_t piece : {1u, 3u, 64u, 65536u, 1000000u}) {
        if (size / piece > 20000) continue;
        std::string text = numbered(size);
        Capture inlined, filed;
        REQUIRE(inlined.open(folder.fd(), OutputSpec::to_inline(cap)));
        REQUIRE(filed.open(folder.fd(), OutputSpec::to_file("out.log", cap)));
        for (std::size_t at = 0; at < size; at += piece) {
          auto part = std::string_view(text).substr(at, piece);
          inlined.feed(part);
          filed.feed(part);
        }
        Captured a = inlined.finish(), b = filed.finish();
        INFO("cap " << cap << ", size " << size << ", piece " << piece);
        REQUIRE((a.text == expected(text, cap)));
        REQUIRE((folder.read("out.log") == expected(text, cap)));
        for (const Captured* captured : {&a, &b}) {
          REQUIRE(captured->total == size);
          REQUIRE(captured->kept == std::min(size, cap));
          REQUIRE(captured->cut == (size > cap));
          REQUIRE(captured->write_errno == 0);
        }
      }
    }
  }
}

TEST_CASE("output is in the file before the stream ends") {
  Folder folder;
  Capture capture;
  REQUIRE(capture.open(folder.fd(), OutputSpec::to_file("out.log", 10)));
  capture.feed("12345678");
  CHECK(folder.read("out.log") == "12345678");
  capture.feed("90abc");
  CHECK(folder.read("out.log") == "1234567890");
}

TEST_CASE("an output file lies beneath the run's directory and has no other name") {
  Folder folder;
  Capture capture;
  for (const char* bad : {"", "/etc/moonlet", "../x", "a/../../x", ".."}) {
    CHECK_FALSE(capture.open(folder.fd(), OutputSpec::to_file(bad)));
  }
  CHECK_FALSE(capture.open(folder.fd(), OutputSpec::to_file("missing/out.log")));
  REQUIRE(symlink("/tmp/moonlet-elsewhere", folder.path("link").c_str()) == 0);
  CHECK_FALSE(capture.open(folder.fd(), OutputSpec::to_file("link")));
  REQUIRE(mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(capture.open(folder.fd(), OutputSpec::to_file("fifo")));
  std::ofstream(folder.path("first")) << "kept";
  REQUIRE(link(folder.path("first").c_str(), folder.path("second").c_str()) == 0);
  CHECK_FALSE(capture.open(folder.fd(), OutputSpec::to_file("second")));
  CHECK(folder.read("first") == "kept");
}

namespace {

// Simulates a full disk by a limit on file sizes: one write is short, and later ones fail.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t size) {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &ignore, &before_);
    getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{size, old_limit_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() { grow(); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  void grow() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    sigaction(SIGXFSZ, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
  rlimit old_limit_{};
};

}  // namespace

TEST_CASE("output that the disk refuses is written later, whole and in order") {
  Folder folder;
  for (std::size_t cap : {1500u, 2000u, 100000u, 1u << 20}) {
    for (std::size_t size : {1001u, 1600u, 40000u, 200000u}) {
      // The disk has room again after this many bytes, or only at the end.
      for (std::size_t until : {1200u, 30000u, 1000000u}) {
        const std::string text = numbered(size);
        Capture capture;
        REQUIRE(capture.open(folder.fd(), OutputSpec::to_file("out.log", cap)));
        SmallDisk disk(1000);
        for (std::size_t at = 0; at < size; at += 700) {
          if (at >= until) disk.grow();
          capture.feed(std::string_view(text).substr(at, 700));
        }
        disk.grow();
        const Captured captured = capture.finish();
        INFO("cap " << cap << ", size " << size << ", until " << until);
        REQUIRE((folder.read("out.log") == expected(text, cap)));
        REQUIRE(captured.write_errno == 0);
        REQUIRE(captured.kept == std::min(size, cap));
      }
    }
  }
}

TEST_CASE("a write error is reported and never stops the draining") {
  Folder folder;
  Capture capture;
  REQUIRE(capture.open(folder.fd(), OutputSpec::to_file("out.log", 1 << 20)));
  SmallDisk disk(1000);
  std::string text = numbered(3 << 20);
  for (std::size_t at = 0; at < text.size(); at += 700) {
    capture.feed(std::string_view(text).substr(at, 700));
  }
  Captured captured = capture.finish();
  disk.grow();
  CHECK(captured.write_errno == EFBIG);
  CHECK(captured.total == text.size());
  CHECK(captured.kept == 1000);
  CHECK(captured.cut);
  CHECK((folder.read("out.log") == text.substr(0, 1000)));
}

TEST_CASE("a secret never reaches the file or the text, however it is split") {
  Folder folder;
  auto redactor = std::make_shared<const Redactor>(std::vector<Secret>{{"KEY", "hunter2-hunter2"}},
                                                   std::vector<std::string>{});
  std::string text = "before hunter2-hunter2 after";
  for (std::size_t piece = 1; piece < text.size(); ++piece) {
    Capture capture;
    REQUIRE(capture.open(folder.fd(), OutputSpec::to_inline()));
    capture.redact(redactor);
    for (std::size_t at = 0; at < text.size(); at += piece) capture.feed(text.substr(at, piece));
    Captured captured = capture.finish();
    CHECK(captured.text == "before [redacted:KEY] after");
    CHECK(captured.total == text.size());
  }
}
