// moonlet inside a program of your own: runs a preset on a repository and prints what it came to.
//   embed [REPOSITORY [PRESET [ARGUMENTS…]]]
#include <moonlet/engine.h>

#include <algorithm>
#include <iostream>

int main(int argc, char** argv) {
  moonlet::EngineOptions options;
  if (argc > 1) options.directory = argv[1];
  options.print = [](int stream, std::string_view text) {
    if (stream == 2) std::cerr << text;  // progress, for a person
  };
  auto engine = moonlet::Engine::open(std::move(options));
  if (!engine) {
    std::cerr << engine.error().message << "\n" << engine.error().hint << "\n";
    return 1;
  }
  const std::string preset = argc > 2 ? argv[2] : "precommit-classifier";
  auto outcome = engine->run(preset, {argv + std::min(argc, 3), argv + argc});
  if (!outcome) {
    std::cerr << outcome.error().message << "\n";
    return 1;
  }
  std::cout << outcome->envelope << "\n";
  return outcome->exit_code;
}
