--- The word lists that tell a standing wish from a step, a story or a guess.
local set = require("moonlet.text").set

local M = {}

-- Verbs that an order can begin with.
M.verbs = set [[accept account acknowledge act add address adopt aim align alphabetise alphabetize analyse analyze
  annotate annotate announce answer append apply approve argue arrange ask assert assign assume attach author automate
  avoid base batch be begin benchmark break bring build bump bundle cache call capitalise capitalize capture
  carry cap catch centralise change check choose chunk cite clarify clean clear close collect comment commit
  communicate compare compile complete compress compute confirm connect consider consult contain continue convert copy
  correct count cover create credit cut debug declare default defer define delegate delete deliver deploy deprecate
  derive describe design diff disable discard discuss display document double-check draft draw drop edit email embed
  emit enable encode end enforce escalate escape estimate evaluate examine exclude execute exit expand expect explain
  export expose express extend extract factor fail favor favour feed fetch file fill filter find finish fix flag
  flatten focus fold follow force format freeze generate get give go group guard handle help hide highlight hold honor
  honour host identify ignore implement import include indent inform inherit initialise initialize inject inline
  insert inspect install instrument interpolate introduce invoke isolate justify keep label land leave let limit link
  lint list load localise localize lock log look lower lowercase maintain make manage mark match measure mention merge
  migrate minimise minimize mock modify modularise monitor mount move mutate name narrow nest normalise normalize note
  notify number obey offer omit open optimise optimize order organise organize override pack pad page parse pass patch
  paste pause persist phrase pick pin ping place plan plot point poll port post prefer prefix prepare present preserve
  prevent print prioritise prioritize process produce profile propose protect prove provide publish pull push put
  query quote raise randomise read rebase rebuild recommend record redact reduce refactor refer reference refuse
  register regenerate reject rely remember remind remove rename render repeat replace reply report reproduce request
  require reset resolve respect respond restart restore restrict retain retry return reuse revert review rewrite roll
  round route run sanitise sanitize save say scale scan schedule search seed select send separate serialise serialize
  set share ship show sign simplify skip snapshot sort spell speak specify split squash stage start state stay stick
  stop store stream structure submit subscribe suffix suggest sum summarise summarize support suppress surface swallow
  switch sync tag take talk target tell terminate test think tie time touch track train translate treat trim trust try
  turn type underline undo unify update upgrade upload use validate verify version wait warn watch wrap write zip zoom
  squash-merge cherry-pick re-run rerun fast-forward force-push]]

-- Nouns as often as orders; the next word decides.
M.nouns_too = set [[account address answer batch benchmark cache call change check comment commit copy count cover
  default design diff display document draft drop edit email end estimate exit export file filter fix focus format
  group guard help highlight host import index label land lead limit link list load lock log look mark match mock
  monitor mount move name nest note number offer order override pack page parse pass patch pause pin place plan plot
  point port post prefix present process produce profile prompt pull push query quote record reference release report
  request reset review rewrite roll round route run scale scan schedule search seed set share show sign snapshot sort
  split stage start state store stream structure suffix sum support surface switch sync tag target test time touch
  track train trim turn type update upgrade upload use version watch wrap work map model error test title build]]

-- Orders that are about every answer, every text or every piece of code rather than one step.
M.standing = set [[keep use prefer favor favour answer reply respond write spell speak report cite sort name format
  phrase explain limit quote wrap indent round summarise summarize prefix capitalise capitalize mention state include
  omit skip document log leave avoid treat stick follow default separate minimise minimize be show]]

-- Steps of a procedure when they are numbered.
M.steps = set [[fork clone create install open select click wait download navigate go start visit copy paste type
  enter launch restart choose sign register activate set run push commit submit checkout build make switch connect
  find edit save close implement]]

-- Steps wherever they stand.
M.errands = set "fork clone install download navigate visit click launch register activate checkout reboot"

-- Verbs whose bans are no rules.
M.idle = set "worry know think forget hesitate mind care bother need see believe like have understand panic remember"

M.hypothetical = { "^if we ever", "^if i ever", "^suppose", "^imagine", "^what if", "^assuming", "^assume that",
  "^in theory", "^hypothetically", "would have ", "were to ", "^had we", "^if i were", "^in an ideal world",
  "^ideally we would", "^one day", "^some day", "^someday", "^it might", "^we might", "^we could", "^one could",
  "^you could", "^i might", "^perhaps", "^maybe", "^possibly", "^it could", "^this could", "^this might",
  "^it may be", "^there may", "^could be", "^might be", "^wouldn't it", "^i wonder", "^in principle" }

M.injected = { "ignore all", "ignore any", "ignore the previous", "ignore previous", "ignore the above",
  "ignore prior", "disregard all", "disregard any", "disregard the", "disregard previous", "system prompt",
  "you are now", "new instructions", "override your", "developer mode", "jailbreak", "exfiltrat",
  "do not tell the user", "don't tell the user", "without telling the user", "hide this from", "curl http", "| sh",
  "| bash", "base64 %-d" }

-- Wishes that take a safeguard away; a person decides about these.
M.unsafe = { "no%-verify", "force[- ]push", "without asking", "without confirm", "without approval", "without review",
  "skip the tests", "skip tests", "skip review", "disable the sandbox", "disable sandbox", "disable the check",
  "sudo", "chmod 777", "as root", "auto%-approve", "automatically approve", "disable tls", "verify=false",
  "dangerously" }
-- The same in bans: a ban of the words above keeps a safeguard.
M.unsafe_bans = { "never ask", "do not ask", "avoid asking", "not wanted: to be asked", "for confirmation" }
M.bans = { "^never ", "^avoid ", "^do not ", "^don't ", "^no ", "^not wanted", "^stop " }

M.once = { "%f[%a]today%f[^%a ]", "%f[%a]today$", "^today%f[%A]", "%f[%a]today [^o]", "%f[%a]tomorrow%f[%A]",
  "%f[%a]tonight%f[%A]", "%f[%a]yesterday%f[%A]",
  "%f[%a]this week", "%f[%a]next week", "%f[%a]last week", "%f[%a]this month", "%f[%a]next month",
  "%f[%a]this pr%f[%A]", "%f[%a]this time", "%f[%a]for now%f[%A]", "%f[%a]this release", "%f[%a]this sprint",
  "%f[%a]next sprint", "%f[%a]asap%f[%A]", "%f[%a]line %d", "#%d", "%f[%a]by monday", "%f[%a]by tuesday",
  "%f[%a]by friday", "%f[%a]by the end of", "%f[%a]this branch%f[%A]", "%f[%a]this commit", "%f[%a]right away",
  "%f[%a]immediately%f[%A]", "%f[%a]next quarter", "%f[%a]next year", "%f[%a]pr %d", "%f[%a]issue %d",
  "%f[%a]this afternoon", "%f[%a]this morning", "%f[%a]right now%f[%A]" }

M.lasting_places = set [[project repo repository codebase code team user service package workspace library tool
  company organisation organization area field respect way style document group lab order list]]

-- Words that make a sentence hold for more than one case.
M.general = { "%f[%w-]always%f[^%w-]", "%f[%w-]never%f[^%w-]", "%f[%a]every%f[%A]", "%f[%a]each%f[%A]",
  "%f[%a]all%f[%A]", "%f[%a]any%f[%A]", "%f[%a]by default", "%f[%a]from now on", "%f[%a]in future",
  "%f[%a]in the future", "%f[%a]going forward", "%f[%a]next time", "%f[%a]whenever%f[%A]", "%f[%a]consistently",
  "%f[%a]everywhere", "%f[%a]throughout", "%f[%a]unless%f[%A]", "%f[%a]in general", "%f[%a]generally",
  "%f[%a]as a rule", "%f[%a]only%f[%A]", "%f[%a]at least%f[%A]", "%f[%a]at most%f[%A]", "%f[%a]instead of%f[%A]",
  "%f[%a]rather than%f[%A]", ", not ", "%f[%a]everything", "%f[%a]anything", "%f[%a]no more than",
  "%f[%a]without being told", "%f[%a]from here on", "%f[%a]without exception" }

-- The same, for texts that mostly describe single steps.
M.lasting = { "%f[%w-]always%f[^%w-]", "%f[%a]every%f[%A]", "%f[%a]each%f[%A]", "%f[%a]by default", "instead of",
  "rather than", ", not ", "%f[%a]unless%f[%A]", "%f[%a]only%f[%A]", "%f[%a]whenever%f[%A]", "at least", "at most" }

M.no_habits = set [[need want have get look like think try make recommend require suggest note hold ask believe hope
  read put set cut thank]]

M.comparatives = { "^shorter ", "^longer ", "^fewer ", "^less ", "^more ", "^smaller ", "^simpler ", "^in %l+%W*$",
  "^in %l+,? please" }
M.layouts = { "^%l+ spaces ", "^tabs ", "^spaces ", "^double quotes", "^single quotes", "^lower case ",
  "^snake.case ", "^camelcase ", "^%d+ columns", "^%d+ spaces" }

-- Verbs of reports about the user, in which the user is not named.
M.reports = set [[reminded asked told complained corrected said insisted requested pointed mentioned wanted repeated
  stressed emphasised emphasized clarified]]

M.months = set [[january february march april may june july august september october november december jan feb mar apr
  jun jul aug sep sept oct nov dec]]

-- Verbs of people with a preference.
M.wants = set [[prefers wants likes hates dislikes loves expects favours favors insists needs appreciates]]

-- Words that tell English from other languages.
M.english = set [[the a an of to in is are and or not no for on with by from at as be it its this that these we you i
  use always never should must do don't does when if before after every each please prefer than over instead one all
  any only keep our your their have has can may will would could what which who them they there here without into than
  then also]]

-- Words in front of a statement: {pattern, mark}
M.lead_ins = {
  { "^btw,?%s+" }, { "^by the way,?%s+" }, { "^fyi[,:]?%s+" }, { "^right[,%.]%s+" }, { "^agreed[,%.:;]%s+" },
  { "^sure[,%.]%s+" }, { "^fine[,%.]%s+" }, { "^good[,%.]%s+" }, { "^great[,%.]%s+" }, { "^thanks[,%.!]%s+" },
  { "^imo,?%s+" }, { "^imho,?%s+" }, { "^personally,?%s+" }, { "^as always,%s+", "strong" }, { "^as usual,%s+",
    "strong" },
  { "^again,%s+", "correction" }, { "^like last time,%s+", "correction" }, { "^like always,%s+", "strong" },
  { "^seriously[,:]%s+" }, { "^honestly,?%s+" }, { "^basically,?%s+" }, { "^actually,?%s+" }, { "^oh,?%s+" },
  { "^let's always%s+", "always" }, { "^let's never%s+", "never" }, { "^let's agree that%s+", "norm" },
  { "^let's agree to%s+", "decided" }, { "^let's agree on%s+", "norm" }, { "^let's%s+not%s+", "ban" },
  { "^let's stick to%s+", "chosen" }, { "^let's stick with%s+", "chosen" }, { "^let's%s+" }, { "^let us%s+" },
  { "^everybody,? please%s+", "strong" }, { "^everyone,? please%s+", "strong" }, { "^all,? please%s+", "strong" },
  { "^folks,? please%s+", "strong" }, { "^team,? please%s+", "strong" }, { "^we stay with%s+", "chosen" },
  { "^we stick to%s+", "chosen" }, { "^we stick with%s+", "chosen" }, { "^we're sticking with%s+", "chosen" },
  { "^we keep using%s+", "chosen" }, { "^we'll stick with%s+", "chosen" }, { "^we will stick with%s+", "chosen" },
  { "^can we agree that%s+", "norm" }, { "^can we please agree that%s+", "norm" }, { "^can we agree to%s+", "decided" },
  { "^can we please%s+", "question" }, { "^can we%s+", "question" }, { "^could we please%s+", "question" },
  { "^could we%s+", "question" }, { "^i would ask you to%s+", "request" }, { "^i'd ask you to%s+", "request" },
  { "^keep in mind that%s+", "norm" }, { "^keep in mind to%s+", "strong" }, { "^bear in mind that%s+", "norm" },
  { "^remember that%s+", "norm" }, { "^it is important that%s+", "ensure" }, { "^it's important that%s+", "ensure" },
  { "^it's important to%s+", "strong" }, { "^i want it to be clear that%s+", "norm" }, { "^i insist that%s+", "norm" },
  { "^the user insists that%s+", "norm" }, { "^the user insisted that%s+", "norm" },
  { "^the user reminded %l+ that%s+", "norm" },
  { "^the user reminded %l+ to%s+", "request" }, { "^the user pointed out that%s+", "norm" },
  { "^the user corrected %l+ to%s+", "request" }, { "^the user told %l+ to%s+", "request" },
  { "^the user told %l+ not to%s+", "ban" }, { "^the user asked %l+ not to%s+", "ban" },
  { "^the user asked not to%s+", "ban" },
  { "^the user requested that%s+", "norm" }, { "^the user said to%s+", "request" }, { "^the user asked for%s+",
  "asked" },
  { "^the user said that%s+", "norm" }, { "^the user stressed that%s+", "norm" }, { "^the user clarified that%s+",
  "norm" },
  { "^the user told %l+ that%s+", "norm" }, { "^the user mentioned that%s+", "norm" }, { "^the user asked that%s+",
  "norm" }, { "^the user wants me to%s+",
    "request" },
  { "^the user wants agents to%s+", "request" }, { "^the user wants us to%s+", "request" }, { "^user wants you to%s+",
    "request" },
  { "^the team decided to%s+", "decided" }, { "^the team agreed to%s+", "decided" }, { "^the team decided that%s+",
    "norm" },
  { "^the team agreed that%s+", "norm" }, { "^team agreed to%s+", "decided" }, { "^team decided to%s+", "decided" },
  { "^agreed to%s+", "decided" }, { "^agreed that%s+", "norm" }, { "^decided to%s+", "decided" },
  { "^decided that%s+", "norm" },
  { "^consensus is to%s+", "decided" }, { "^consensus was to%s+", "decided" }, { "^the consensus was to%s+",
    "decided" },
  { "^everyone agreed to%s+", "decided" }, { "^everybody agreed to%s+", "decided" }, { "^everyone agreed that%s+",
    "norm" },
  { "^we'd like you to%s+", "request" }, { "^we want you to%s+", "request" },
  { "^i ask that you%s+", "request" }, { "^i expect that you%s+", "request" }, { "^i prefer that you%s+", "request" },
  { "^i prefer it when you%s+", "request" }, { "^i like it when you%s+", "request" }, { "^i'd prefer you to%s+",
    "request" },
  { "^i'd prefer if you%s+", "request" }, { "^i would prefer if you%s+", "request" }, { "^i would prefer you to%s+",
    "request" },
  { "^i prefer you to%s+", "request" }, { "^i'd like to have%s+", "wish" },
  { "^please,?%s+", "request" }, { "^pls%s+", "request" }, { "^ok[ay]*[,%.]?%s+" }, { "^so,?%s+" }, { "^and%s+" },
  { "^but%s+" }, { "^also[,:]?%s+" }, { "^then%s+" }, { "^now,?%s+" }, { "^hey,?%s+" }, { "^yes,?%s+" }, { "^no,%s+",
    "correction" },
  { "^well,?%s+" }, { "^just%s+" }, { "^really,?%s+" }, { "^one more thing[:,]%s+" }, { "^again[:,]%s+", "correction" },
  { "^as i wrote[^:,]*[:,]%s+", "correction" }, { "^as i said[^:,]*[:,]%s+", "correction" },
  { "^as mentioned[^:,]*[:,]%s+", "correction" }, { "^like i said[^:,]*[:,]%s+", "correction" },
  { "^i told you[^:,]*[:,]%s+", "correction" }, { "^once more[:,]%s+", "correction" },
  { "^from now on,?%s+", "lasts" }, { "^from here on,?%s+", "lasts" }, { "^going forward,?%s+", "lasts" },
  { "^in future [%l]+,%s+", "lasts" }, { "^in the future,?%s+", "lasts" }, { "^in future,?%s+", "lasts" },
  { "^next time,?%s+", "strong" }, { "^as a rule,?%s+", "strong" }, { "^in general,?%s+", "general" },
  { "^generally,?%s+", "general" }, { "^by default,?%s+", "general" }, { "^usually,?%s+", "hedge" },
  { "^if possible,?%s+", "hedge" }, { "^where possible,?%s+", "hedge" }, { "^ideally,?%s+", "hedge" },
  { "^remember to%s+", "strong" }, { "^remember:%s+" }, { "^remember,%s+" }, { "^do not forget to%s+", "strong" },
  { "^don't forget to%s+", "strong" }, { "^important:%s+", "strong" }, { "^note:%s+" }, { "^nb:%s+" }, { "^nit:%s+",
    "nit" },
  { "^rule:%s+", "label" }, { "^preference:%s+", "label" }, { "^convention:%s+", "label" }, { "^policy:%s+", "label" },
  { "^guideline:%s+", "label" }, { "^directive:%s+", "label" }, { "^constraint:%s+", "label" }, { "^lesson:%s+",
    "label" },
  { "^lesson learned:%s+", "label" }, { "^learned:%s+", "label" }, { "^reminder:%s+", "label" }, { "^correction:%s+",
    "label" },
  { "^note to self:%s+", "label" }, { "^standing decision:%s+", "label" }, { "^takeaway:%s+", "label" },
  { "^feedback:%s+", "label" }, { "^request:%s+", "request" }, { "^why:%s+" }, { "^reason:%s+" }, { "^good:%s+" },
  { "^decision:%s+" }, { "^decided:%s+", "norm" }, { "^agreed:%s+", "norm" },
  { "^we also decided to%s+", "decided" }, { "^we decided to%s+", "decided" }, { "^we have decided to%s+", "decided" },
  { "^we agreed to%s+", "decided" }, { "^we also agreed to%s+", "decided" }, { "^it was decided to%s+", "decided" },
  { "^we agreed that%s+", "norm" }, { "^we decided that%s+", "norm" }, { "^we also decided that%s+", "norm" },
  { "^it was agreed that%s+", "norm" }, { "^we have agreed that%s+", "norm" },
  { "^make sure you%s+", "strong" }, { "^make sure to%s+", "strong" }, { "^be sure to%s+", "strong" },
  { "^be sure that%s+", "ensure" }, { "^make sure that%s+", "ensure" }, { "^make sure%s+", "ensure" },
  { "^ensure that%s+", "ensure" }, { "^ensure%s+", "ensure" }, { "^see to it that%s+", "ensure" }, { "^try to%s+",
    "hedge" },
  { "^could you please%s+", "question" }, { "^can you please%s+", "question" }, { "^would you please%s+", "question" },
  { "^could you%s+", "question" }, { "^can you%s+", "question" }, { "^would you%s+", "question" },
  { "^would be great if you could%s+", "request" }, { "^it would be great if you could%s+", "request" },
  { "^it would be nice if you could%s+", "request" }, { "^would be nice if you could%s+", "request" },
  { "^it would help if you%s+", "request" }, { "^i'd like you to%s+", "request" }, { "^i would like you to%s+",
    "request" },
  { "^i want you to%s+", "request" }, { "^i need you to%s+", "request" }, { "^i expect you to%s+", "request" },
  { "^the user wants you to%s+", "request" }, { "^the user asked to%s+", "request" }, { "^the user wants to%s+",
    "wanted" },
  { "^the user asked me to%s+", "request" }, { "^the user asked us to%s+", "request" }, { "^user asked to%s+",
    "request" },
  { "^you should%s+", "should" }, { "^you must%s+", "strong" }, { "^you need to%s+", "should" }, { "^you have to%s+",
    "should" },
  { "^you are expected to%s+", "should" }, { "^agents should%s+", "should" }, { "^agents must%s+", "strong" },
  { "^the agent should%s+", "should" }, { "^the agent must%s+", "strong" }, { "^sidecars should%s+", "should" },
  { "^sidecars must%s+", "strong" }, { "^it is important to%s+", "strong" }, { "^we should%s+", "should" },
  { "^we must%s+", "strong" }, { "^we always%s+", "always" }, { "^we never%s+", "never" }, { "^i always%s+", "always" },
  { "^i'd appreciate it if%s+", "wish" }, { "^i would appreciate it if%s+", "wish" }, { "^it would help if%s+",
    "wish" },
  { "^it would be great if%s+", "wish" }, { "^would be great if%s+", "wish" }, { "^it would be nice if%s+", "wish" },
}

-- Labels of texts that are no rules.
M.no_rule_labels = set [[done next blocked todo fixme status context run preset date author reviewer present subject
  to from rejected alternatives considered background timeline result results example examples question questions
  answer attendees title summary symptom cause impact owner due link links see source tested not-tested risk risks
  commands usage warning error output input actions action revert fix docs feat chore refactor perf test style build
  ci options]]

-- Headings of considerations, not of decisions.
M.no_rule_headings = { "^context", "^background", "^alternatives", "^options", "^considered", "^rejected",
  "^examples?$", "^example", "^obsolete", "^deprecated", "^superseded", "^timeline", "^history", "^old ",
  "^changelog", "^todo", "^to do", "^next steps", "^open questions", "^acknowledg", "^what happened" }

-- Topics of rules, before a colon.
M.topics = set [[language indentation indent quotes tone style commits branches encoding units timezone spelling
  formatter linter editor shell imports naming tests logging dates citations figures plots headings captions errors
  comments docstrings verbosity theme keybindings dependencies seeds types format output answers reports defaults
  locale currency tables jobs lists]]

return M
