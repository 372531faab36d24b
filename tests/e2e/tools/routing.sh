# Helpers of the cases of routing. Source it. It defines the user's runners `swift` and `strong`, whose programs append
# their arguments to $bill.
# shellcheck shell=bash
mkdir -p "$HOME/.config/moonlet" "$HOME/.swift" "$TMPDIR/bin"
bill=$HOME/.swift/bill
: >"$bill"
for name in swift strong; do
  printf '#!/bin/sh\ncat >/dev/null\necho "%s $*" >>"%s"\nprintf "answer of %s"\n' $name "$bill" $name >"$TMPDIR/bin/$name"
  chmod +x "$TMPDIR/bin/$name"
  echo "return { program = '$name', events = 'text',
    command = function(c) return { argv = { '$name', c.model or 'no-model' }, stdin = 'prompt',
      state_dirs = { '$HOME/.swift' } } end }" \
    >"$HOME/.config/moonlet/$name.lua"
done
# config ROUTES [MORE] writes the user's config with the runners, these routes, and further fields.
config() {
  echo "return {
    runners = { swift = { file = 'swift.lua', program = '$TMPDIR/bin/swift' },
      strong = { file = 'strong.lua', program = '$TMPDIR/bin/strong', model = 'own' } },
    routes = { $1 }, ${2-} }" >"$HOME/.config/moonlet/config.lua"
}
