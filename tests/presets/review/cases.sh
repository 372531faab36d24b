# The cases of run.sh.

# --- planted defects ---------------------------------------------------------------------------
repo planted
cp -r "$here/planted/before/." . && commit before
cp -r "$here/planted/after/." .
# Put together here, so that no scanner of this repository takes it for a leak.
key="AKIA$(printf 'Q3EGV7L2TWYKX4NB')"
sed -i "s/@AWS_KEY@/$key/" config/app.yaml
commit after
cp "$here/planted/planted.tsv" .
"$moonlet" run "$here/planted.lua" --allow all --task-id planted >"$work/planted.log" 2>&1
check "the planted change can be judged" $?
report=.agent/sidecars/planted/report.txt
grep -v '^count' "$report"
read -r _ found total beside < <(grep '^count' "$report")
echo "found $found of $total planted defects; $beside findings beside them"
[ "${found:-0}" -ge 30 ] && [ "${beside:-99}" -le 3 ]
check "at least 30 of 37 planted defects are found, with at most 3 findings beside them" $?
! grep -rq "$key" .agent
check "the planted secret stands in no artifact" $?
