#include "host/telemetry/secret/redact.h"

#include <random>

#include "tests/catch.h"

using namespace moonlet;

namespace {

const std::string kToken = "sk-proj-Ab12Cd34Ef56";

std::string streamed(const Redactor& redactor, std::string_view text, std::size_t step) {
  StreamRedactor stream(redactor);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += step) stream.feed(text.substr(at, step), out);
  stream.finish(out);
  return out;
}

bool picks(const std::string& name, const std::string& value) {
  return !Redactor::secrets_of_environment({name + "=" + value}).empty();
}

}  // namespace

TEST_CASE("an empty redactor copies") {
  Redactor none;
  CHECK(none.empty());
  CHECK(none.apply("as it is") == "as it is");
  CHECK(streamed(none, "as it is", 3) == "as it is");
  CHECK(Redactor({}, {"HOME=/home/u", "no equals sign", "=x", ""}).empty());
}

TEST_CASE("declared secrets are replaced by their name") {
  Redactor redactor({{"API_KEY", kToken}, {"odd name]\n", "another-secret"}, {"PIN", "123"}}, {});
  CHECK(redactor.apply("a " + kToken + kToken + " b") ==
        "a [redacted:API_KEY][redacted:API_KEY] b");
  CHECK(redactor.apply("another-secret") == "[redacted:odd_name__]");
  CHECK(redactor.apply("123") == "123");
}

TEST_CASE("the longest of secrets that begin alike wins, the first of overlapping ones") {
  Redactor redactor({{"SHORT", "abcdefgh"}, {"LONG", "abcdefghijkl"}, {"LATE", "ghijklmnop"}}, {});
  CHECK(redactor.apply("abcdefghijkl") == "[redacted:LONG]");
  CHECK(redactor.apply("abcdefghijk") == "[redacted:SHORT]ijk");
  CHECK(redactor.apply("abcdefghijklmnop") == "[redacted:LONG]mnop");
  CHECK(redactor.apply("xghijklmnop") == "x[redacted:LATE]");
}

TEST_CASE("restore() with the same secrets returns the original text") {
  const std::string value = "p\"ss/w\\rd \xc3\xa4+1";
  const std::vector<std::string> environment = {"A_TOKEN=" + value,
                                                "DB_PASSWORD=postgres://me:quite-long-9@host/db",
                                                "B_TOKEN=other-value-77"};
  const std::string text = "[redacted:A_TOKEN] " + value +
                           " p%22ss%2Fw%5Crd%20%C3%A4%2B1 quite-long-9" +
                           " postgres://me:quite-long-9@host/db other-value-77";
  Redactor redactor({}, environment);
  std::vector<RedactedPlace> places;
  const std::string redacted = redactor.apply(text, &places);
  CHECK(redacted ==
        "[redacted:A_TOKEN] [redacted:A_TOKEN] [redacted:A_TOKEN] [redacted:DB_PASSWORD] "
        "[redacted:DB_PASSWORD] [redacted:B_TOKEN]");
  CHECK(redactor.restore(redacted, places) == text);
  CHECK(Redactor({}, {environment[2], environment[1], environment[0]}).restore(redacted, places) ==
        text);
  CHECK_FALSE(Redactor({}, {environment[0], environment[1]}).restore(redacted, places));
  CHECK_FALSE(Redactor().restore(redacted, places));
  places.push_back({redacted.size() + 5, 0});
  CHECK_FALSE(redactor.restore(redacted, places));
  places = {{1, 0}};
  CHECK_FALSE(redactor.restore(redacted, places));
}

TEST_CASE("the usual spellings of a value are found") {
  const std::string value = "p\"ss/w\\rd \xc3\xa4+1";
  Redactor redactor({{"S", value}}, {});
  for (const char* form : {"p\\\"ss/w\\\\rd \xc3\xa4+1",   // JSON
                           "p\\\"ss\\/w\\\\rd \\u00e4+1",  // JSON, ASCII, with escaped slashes
                           "p\\\\\\\"ss/w\\\\\\\\rd \xc3\xa4+1",  // JSON in a JSON string
                           "p%22ss%2Fw%5Crd%20%C3%A4%2B1",        // URL
                           "p%22ss%2fw%5crd%20%c3%a4%2b1",        // URL, lower case
                           "p%22ss%2Fw%5Crd+%C3%A4%2B1",          // form
                           "cCJzcy93XHJkIMOkKzE="}) {             // base64
    CHECK(redactor.apply(std::string("<") + form + ">") == "<[redacted:S]>");
  }
  // Redaction removes the value's own characters from base64 of "u:"+value and of "us:"+value.
  Redactor token({{"T", "s3cr3t-t0ken-value"}}, {});
  CHECK(token.apply("dTpzM2NyM3QtdDBrZW4tdmFsdWU=").find("M2NyM3QtdDBrZW4") == std::string::npos);
  CHECK(token.apply("dXM6czNjcjN0LXQwa2VuLXZhbHVl") == "dXM6[redacted:T]");
}

TEST_CASE("a value is found as encoders of JSON escape it") {
  const std::string value = "a&b<c>d'e+f/g\"\xc3\xa4\xf0\x9f\x98\x80\xe2\x80\xa8zz";
  Redactor redactor({{"S", value}}, {});
  const std::string wide = "\xc3\xa4\xf0\x9f\x98\x80";
  for (const std::string& form : {
           // The escapes of Go's JSON encoder.
           "a\\u0026b\\u003cc\\u003ed'e+f/g\\\"" + wide + "\\u2028zz",
           // The escapes of Python's JSON encoder.
           std::string("a&b<c>d'e+f/g\\\"\\u00e4\\ud83d\\ude00\\u2028zz"),
           // The escapes of PHP's JSON encoder, by default and with all its flags.
           std::string("a&b<c>d'e+f\\/g\\\"\\u00e4\\ud83d\\ude00\\u2028zz"),
           std::string(
               "a\\u0026b\\u003Cc\\u003Ed\\u0027e+f\\/g\\u0022\\u00E4\\uD83D\\uDE00\\u2028zz"),
           // The escapes of .NET's JSON encoder.
           std::string(
               "a\\u0026b\\u003Cc\\u003Ed\\u0027e\\u002Bf/g\\u0022\\u00E4\\uD83D\\uDE00\\u2028zz"),
           // Go's JSON as a string in JSON by Go or Python.
           "a\\\\u0026b\\\\u003cc\\\\u003ed'e+f/g\\\\\\\"" + wide + "\\\\u2028zz",
           // Python's JSON as a string in JSON by Go.
           std::string(
               "a\\u0026b\\u003cc\\u003ed'e+f/g\\\\\\\"\\\\u00e4\\\\ud83d\\\\ude00\\\\u2028zz"),
       }) {
    INFO(form);
    CHECK(redactor.apply("{\"text\":\"" + form + "\"}") == "{\"text\":\"[redacted:S]\"}");
    CHECK(streamed(redactor, form, 3) == "[redacted:S]");
  }
}

TEST_CASE("a key of several lines is found line by line") {
  Redactor redactor(
      {{"PEM",
        "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nq83vEjRWeJq83vEjRW\n-----END KEY-----\n"}},
      {});
  CHECK(redactor.apply("> MIIEvQIBADANBgkqhkiG9w0\r\n> x") == "> [redacted:PEM]\r\n> x");
  CHECK(redactor.apply("-----BEGIN KEY-----") == "-----BEGIN KEY-----");
}

TEST_CASE("only values that can be secrets are taken from an environment") {
  for (const char* name : {"OPENAI_API_KEY", "GITHUB_TOKEN", "PGPASSWORD", "npm_config_authToken",
                           "CLIENT_SECRET", "DB_PWD", "SESSION_COOKIE", "PRIVATE_KEY", "GH_PAT",
                           "AWS_ACCESS_KEY_ID", "aws-secret-access-key", "OPENAI_API_KEY_2", "JWT",
                           "STRIPE_SK", "GH_CRED", "SLACK_WEBHOOK_URL", "SENTRY_DSN"}) {
    CHECK(picks(name, kToken));
  }
  for (const char* name : {"PATH", "PWD", "HOME", "KEYBOARD", "AUTHOR", "MONKEY", "PASSAGE",
                           "TOKEN_URL", "KEY_FILE", "AUTH_METHOD", "PATTERN", "COMPASS"}) {
    CHECK_FALSE(picks(name, kToken));
  }
  CHECK_FALSE(picks("SSH_AUTH_SOCK", "/tmp/ssh-XXXXabCD12ef/agent.1"));
  CHECK_FALSE(picks("GOOGLE_CREDENTIALS", "/home/u/key.json"));
  CHECK_FALSE(picks("GOOGLE_CREDENTIALS", "/work/keys/key.json"));
  CHECK(picks("AWS_SECRET_ACCESS_KEY", "/aB3dE5gH7jK9mN1pQ/sT"));
  CHECK_FALSE(picks("MAX_TOKENS", "10000000"));
  CHECK(picks("DB_PASSWORD", "10203040"));
  CHECK_FALSE(picks("DB_PASSWORD", "postgres"));
  CHECK_FALSE(picks("API_KEY", "short12"));
  CHECK_FALSE(picks("AUTH_KIND", "publickey"));
  CHECK_FALSE(picks("AUTH_SERVER", "https://auth.example.com/login"));
  CHECK(picks("DATABASE_URL", "postgres://user:s3cr3tpw@db/x"));
  CHECK(picks("GITHUB_TOKEN", kToken + "\n"));
}

TEST_CASE("a variable that only names another one is no secret") {
  Redactor redactor({}, {"PROVIDER_API_KEY=OPENAI_API_KEY", "OPENAI_API_KEY=" + kToken});
  CHECK(redactor.apply("OPENAI_API_KEY=" + kToken) == "OPENAI_API_KEY=[redacted:OPENAI_API_KEY]");
}

TEST_CASE("the password of a URL is replaced, the rest stays") {
  Redactor redactor({}, {"DATABASE_URL=postgres://user:s3cr3tpw@db/x"});
  CHECK(redactor.apply("postgres://user:s3cr3tpw@db/x") ==
        "postgres://user:[redacted:DATABASE_URL]@db/x");
}

TEST_CASE("a stream gives the same as the whole text, however it is cut") {
  // A small alphabet and needles that overlap and contain each other make every boundary occur.
  Redactor redactor({{"A", "aabaab"}, {"B", "aabaabaabb"}, {"C", "baabaa"}, {"D", "bbbb"}}, {});
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 120; ++i) text += random() % 3 == 0 ? 'b' : 'a';
    const auto whole = redactor.apply(text);
    for (std::size_t step : {1, 2, 3, 5, 7, 119}) REQUIRE(streamed(redactor, text, step) == whole);
  }
}

TEST_CASE("a stream holds back only the possible beginning of a secret") {
  Redactor redactor({{"KEY", "sk-12345678"}}, {});
  StreamRedactor stream(redactor);
  std::string out;
  stream.feed("ready\n", out);
  CHECK(out == "ready\n");
  stream.feed("x sk-12", out);
  CHECK(out == "ready\nx ");
  stream.feed("345679 sk", out);
  CHECK(out == "ready\nx sk-12345679 ");
  stream.finish(out);
  CHECK(out == "ready\nx sk-12345679 sk");
  stream.feed("-12345678", out);
  stream.finish(out);
  CHECK(out == "ready\nx sk-12345679 sk-12345678");
}

TEST_CASE("binary text and NUL bytes pass") {
  const std::string value("\0\xff\x01zzzzzz\0", 10);
  Redactor redactor({{"BIN", value}}, {});
  CHECK(redactor.apply(std::string("\0\0", 2) + value + "\xff") ==
        std::string("\0\0", 2) + "[redacted:BIN]\xff");
}
