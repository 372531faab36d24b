// A folder that a test of the engine works in; removed at its end.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

namespace moonlet {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/moonlet-engine.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { (void)std::system(("rm -rf " + path_).c_str()); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace moonlet
