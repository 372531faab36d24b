-- A pattern with four lazy repetitions has 10^11 ways to match 800 characters. It fails at the limit on steps.
-- expect: error invalid too many steps
-- limits: time=60000
return (("a"):rep(800):find(".-.-.-.-b"))
