// The main of the Catch2 programs.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#else
#include <catch2/catch_session.hpp>
int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
#endif

#if defined(__SANITIZE_THREAD__)
/// libuv closes its descriptors by bare system calls, which ThreadSanitizer does not see: it
/// reports the next owner of the number, in another thread, as racing with libuv's last use of it.
/// The frames of libuv appear only where it makes that call itself, not beneath its callbacks.
extern "C" const char* __tsan_default_suppressions() { return "race:^uv_\n"; }
#endif
