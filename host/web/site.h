// Site answers the page's requests with the page's own files, the runs' files, and the output of
// moonlet commands. It does not write files. One thread.
#pragma once

#include <string>
#include <vector>

#include "host/web/access.h"
#include "host/web/hub.h"
#include "host/web/repo.h"
#include "host/web/server.h"

namespace moonlet::web {

class Site {
 public:
  /// `program` is the path of the moonlet executable. Borrows all other arguments.
  Site(std::vector<Repo>& repos, Hub& hub, const Access& access, std::string program)
      : repos_(repos), hub_(hub), access_(access), program_(std::move(program)) {}

  Reply answer(const Request& request);

 private:
  Reply login(const Request& request);
  Reply about();
  Reply command(const Request& request, const std::string& name, bool acts);
  Reply history(const Request& request, const std::string& what);
  Reply step(const Request& request, Repo& repo, const Dir& sidecar);
  Reply file(const Request& request, const Dir& sidecar);
  Repo* repo_of(const Request& request);

  std::vector<Repo>& repos_;
  Hub& hub_;
  const Access& access_;
  std::string program_;
};

}  // namespace moonlet::web
