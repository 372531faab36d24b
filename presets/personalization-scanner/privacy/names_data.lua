--- Names that people are given, and the words around names.
local set = require("moonlet.text").set

return {
  -- Common given names of many countries, without those that are also words, months, tools or algorithms.
  given = set [[Aaron Abdul Abdullah Abigail Adrian Agnes Agnieszka Ahmed Aisha Akira Alan Albert Alejandro
    Aleksandra Alessandro Alessandra Alexander Alexandra Alexei Alexey Alice Alicia Alina Alison Allison Alvaro
    Amanda Amelie Amina Amir Amit Amy Ana Anastasia Anders Andrea Andreas Andrei Andres Andrew Andrey Andrzej Aneta
    Angela Angelika Anil Anita Anja Anjali Anke Ann Anna Anne Annette Annika Anthony Antje Antoine Anton Antonio
    Anton Anya Arash Ariel Arjun Arnaud Arthur Arturo Ashok Asif Astrid Aurelie Ayesha Barbara Bartosz Beate
    Beatrice Beatriz Ben Benedikt Benjamin Benoit Bernard Bernd Bettina Birgit Birgitte Bjorn Bogdan Boris Brandon
    Brenda Brian Bridget Bruno Camila Carina Carla Carlos Carmen Carol Carolina Caroline Carsten Catherine Cecilia
    Cecile Celine Charlotte Chiara Chidi Chloe Christa Christina Christine Christophe Christopher Chukwu Cindy
    Claire Clara Claudia Claudio Conor Cornelia Cristina Cynthia Dagmar Damien Daniel Daniela Danielle Dariusz David
    Deborah Deepak Deepika Denis Dennis Derek Diana Diego Dieter Dimitri Dirk Dmitri Dmitry Dominik Dominique Donald
    Donna Doris Dorothea Dorota Douglas Eduardo Edward Ekaterina Elena Eleonora Elif Elisabeth Elizabeth Elke Ellen
    Emil Emilia Emily Emma Emmanuel Enrique Erik Erika Ernst Esther Eugene Eva Evelyn Fabian Fabio Farah Fatima
    Federico Felipe Felix Fernanda Fernando Filip Florence Florian Francesca Francesco Francisco Francois Franziska
    Frederic Frederik Friedrich Fumiko Gabriel Gabriela Gabriele Gary George Georg Gerald Gerhard Giovanni Gisela
    Giulia Giuseppe Gonzalo Gordon Graham Greg Gregor Gregory Grzegorz Guillaume Gunther Gustavo Hannah Hanna Hannes
    Hans Harald Haruka Hassan Heather Heidi Heike Heiko Heinrich Heinz Helen Helena Helga Helmut Hendrik Henri
    Henrik Henrike Henry Herbert Hermann Hideo Hilde Hiroshi Holger Hubert Ian Ibrahim Ignacio Igor Ines Inga Inge
    Ingeborg Ingrid Irene Irina Isabel Isabella Isabelle Ismail Ivan Ivana Jacek Jacob Jacqueline Jacques Jakob
    Jakub James Jamie Jana Jane Janet Janina Jason Javier Jean Jeffrey Jennifer Jens Jeremy Jerome Jessica Jian Jim
    Joachim Joan Joanna Joao Jochen Joel Johan Johanna Johannes John Jon Jonas Jonathan Jordi Jorg Jorge Jose Josef
    Joseph Joshua Juan Juanita Judith Jules Julian Juliane Julie Julien Juliette Jurgen Justin Justyna Kamal Kamil
    Karen Karin Karl Karla Karolina Karsten Katarina Katarzyna Kate Katerina Katharina Katherine Kathleen Kathrin
    Katja Katrin Kavita Keiko Keith Kelly Kenji Kenneth Kerstin Kevin Khalid Kimberly Kirsten Klaus Konrad
    Konstantin Krishna Kristen Kristin Kristina Krzysztof Kumar Kurt Kwame Kyle Kwabena Lars Larissa Latoya Laura
    Lauren Laurent Lea Lena Leon Leonardo Leonie Liam Linda Lindsay Lisa Liu Lorenzo Louis Louise Luca Lucas Lucia
    Luciana Lucy Ludwig Luis Luisa Lukas Luke Lydia Magda Magdalena Mahmoud Maike Malgorzata Malik Manfred Manuel
    Manuela Marc Marcel Marcela Marcin Marco Marcus Marek Margaret Margarete Margarita Marguerite Maria Mariam
    Mariana Marie Marina Mario Marion Marius Marjan Markus Marlene Marta Martha Martin Martina Mary Maryam Mateusz
    Mathias Mathieu Matteo Matthew Matthias Maurice Mauricio Maximilian Mehmet Mei Melanie Melissa Michael Michaela
    Michal Michel Michele Michelle Miguel Mihai Mike Mikhail Milena Minh Miriam Mohamed Mohammad Mohammed Monica
    Monika Monique Moritz Muhammad Mustafa Nadia Nadine Nancy Naomi Natalia Natalie Natasha Neha Nicholas Nick
    Nicola Nicolas Nicole Niels Nikhil Nikita Nikolai Nikolaus Nils Nina Noah Noemi Nora Norbert Nuria Ola Olaf Ole
    Oleg Oleksandr Olga Oliver Olivia Olivier Olga Oluwaseun Omar Oscar Osman Oswald Otto Pablo Pamela Paolo Patrice
    Patricia Patrick Paul Paula Pauline Pavel Pawel Pedro Peggy Peter Petra Philip Philipp Philippe Phillip Pierre
    Piotr Prakash Pranav Preeti Priya Priyanka Rachel Radek Rafael Rahul Raj Rajesh Ralf Ramesh Ramon Raquel Rashid
    Raul Ravi Rebecca Reinhard Renate Renata Rene Ricardo Richard Rita Robert Roberto Rodrigo Roger Roland Rolf
    Ronald Ronja Rosalind Rosa Rosemary Rosie Roxana Rudolf Rui Ruth Ryan Sabine Sabrina Salma Samantha Samir Samuel
    Sandeep Sandra Sanjay Santiago Sara Sarah Sasha Satoshi Scott Sean Sebastian Serge Sergei Sergey Sergio Shane
    Shannon Sharon Sheila Shirley Shreya Sigrid Silke Silvia Simon Simone Sofia Sofie Soren Sonia Sonja Sophia
    Sophie Stefan Stefania Stefanie Steffen Stephan Stephanie Stephen Steve Steven Stuart Sunita Susan Susanne
    Suzanne Sven Svetlana Sylvia Sylvie Takashi Takeshi Tamara Tanja Tanya Tariq Tatiana Tatjana Ted Terry Theodor
    Theresa Thomas Thorsten Tiffany Tim Timothy Tina Tobias Todd Tom Tomas Tomasz Tony Torsten Tracy Ulrich Ulrike
    Umar Ursula Usha Uwe Valentin Valentina Valerie Vanessa Vera Veronica Veronika Victor Vijay Vikram Viktor
    Viktoria Vincent Vincenzo Vladimir Volker Walter Wei Wendy Werner Wiebke Wilhelm William Wojciech Wolfgang
    Xavier Xiao Yan Yannick Yasmin Yolanda Youssef Yuki Yuri Yusuf Yves Yvonne Zainab Zbigniew Zoe Zofia Zuzana Bob
    Jonas Lucía José María André René Zoë Chloé Jörg Jürgen Günther Björn Sören Łukasz Chidinma Ngozi Chinedu Emeka
    Ifeoma Amara Olumide Adebayo Thabo Sipho Nomvula Wanjiru Kofi Akosua Hiroko Yoko Naoko Ming Xin Jing Hui Nguyen
    Linh Thanh Siti Budi Dewi Rohan Ananya Ishaan Aditi Arun Suresh Lakshmi Meera Siobhan Niamh Aoife Eoin Ciara
    Gareth Rhys Sigurd Ingvild Torbjorn Eero Aino Juhani Pekka Mika Laszlo Zoltan Istvan Katalin]],
  -- Capitalised words that stand where a name could, and are none.
  not_names = set [[The This That These Those There All Both Team Everyone Everybody World Folks You Your We Our It
    Its User Users Assistant Human System Agent Agents Claude Codex Gemini Copilot Cursor Anthropic OpenAI Google
    GitHub GitLab Git Gitea Slack Jira Docker Redis Postgres Kubernetes Python Rust Ruby Java Lua Go Perl Swift
    Jenkins Apache Microsoft Amazon Azure Apple Meta Visual Red Open Linux Windows Ubuntu Debian Fedora Android
    Chrome Firefox Safari Mozilla Oracle Intel Nvidia Make Cargo Ninja Bazel Maven Gradle Node React Angular Vue
    Django Flask Rails Laravel Spring Terraform Ansible Helm Vault Consul Kafka Spark Hadoop Elastic Grafana
    Prometheus Sentry Datadog Zarr Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March
    April May June July August September October November December Bot Admin Root Support Security Sales Info
    Release Main Master Board Group Committee Office Department Lab Labs Inc Ltd GmbH Corp University Institute
    Foundation Project Service Server Note Warning Error Todo Fixme Yes No Please Never Always Do Don Use Run See
    Read Write Keep Add Fix Remove Update Check Pull Push Merge Request Code Test Tests Build Deploy API CLI CI
    README Markdown English German French Spanish Italian Portuguese Chinese Japanese European American British New
    York San Los North South East West Street Road None Unknown Nobody Someone Anybody Author Reviewer Maintainer
    Editor Owner Sincerely Regards Cheers Best Kind Thanks Thank Dear Hello Hi Hey Good Great Opus Sonnet Haiku
    Fable Dependabot Renovate He She They Who What When Where Why How Customer Customers Client Clients Boss Manager
    Lead Leads Maintainers Reviewers Management Legal Marketing Consensus Standup QA Ops Frontend Backend
    Engineering Product Design Data Result Cause Symptom Impact Fix Action Question Answer Pros Cons Done Status
    Context Decision Example Input Output Expected Actual Given Then Step Info Tip Important Summary Subject Date
    Title Type Scope Risk Options Option Source Rule Reason Rationale Not Nothing People Others One Some Many Most
    Such If And But Or So As At In On By For Of To With From Into Than Now Here His Her Their My Its Any Every Each
    Another Other Same Next Last First Only Also Just Still Yet Wir Ich Er Sie Es Man Niemand Alle Jeder Jede Kunde
    Kunden Chef Il Elle On Nous Ils Ella Nosotros Beschluss Will Can May Mark Grace Rose Hope Faith Art Bill Max Rob
    Jack Chase Drew Dean Grant Frank Miles Gene Summer Dawn]],
  heads = set [[from to cc bcc author authors committer reviewer reviewers name present attendees participants
    assignee owner contact maintainer maintainers patient client customer interviewee presenter moderator
    signed-off-by co-authored-by reviewed-by acked-by tested-by reported-by suggested-by approved-by committed-by
    helped-by requested-by sender recipient assigned attendee caller applicant employee tenant driver guardian
    spouse facilitator scribe regrets absent]],
  closings = { "regards", "cheers", "best", "best wishes", "sincerely", "yours", "yours sincerely", "thanks",
    "many thanks", "thank you", "kind regards", "best regards", "warm regards", "mit freundlichen grüßen",
    "viele grüße", "liebe grüße", "beste grüße", "gruß", "cordialement", "saludos", "um abraço", "all the best",
    "yours truly", "take care" },
  -- {words before a name, least words of the name}
  introduced = { { "my name is ", 1 }, { "my name's ", 1 }, { "call me ", 1 }, { "i am ", 2 }, { "i'm ", 2 },
    { "this is ", 2 }, { "mein name ist ", 1 }, { "ich heiße ", 1 }, { "je m'appelle ", 1 }, { "me llamo ", 1 },
    { "mr ", 1 }, { "mr. ", 1 }, { "mrs ", 1 }, { "mrs. ", 1 }, { "ms ", 1 }, { "ms. ", 1 }, { "miss ", 1 },
    { "dr ", 1 }, { "dr. ", 1 }, { "prof ", 1 }, { "prof. ", 1 }, { "professor ", 1 }, { "herr ", 1 }, { "frau ", 1 },
    { "mme ", 1 }, { "señor ", 1 }, { "señora ", 1 }, { "sra. ", 1 }, { "dear ", 1 }, { "hi ", 1 }, { "hello ", 1 },
    { "hey ", 1 }, { "ask ", 1 }, { "asks ", 1 }, { "asked ", 1 }, { "tell ", 1 }, { "told ", 1 }, { "ping ", 1 },
    { "cc ", 1 }, { "thanks to ", 1 }, { "signed off by ", 1 }, { "approved by ", 1 }, { "reviewed by ", 1 },
    { "written by ", 1 },
    { "reported by ", 1 }, { "goes by ", 1 }, { "surname is ", 1 }, { "first name is ", 1 }, { "last name is ", 1 },
    { "by ", 2 }, { "contact ", 2 }, { "contacted ", 1 }, { "e-mail ", 2 },
    { "email ", 2 }, { "met ", 2 }, { "colleague ", 1 }, { "maintainers, ", 2 }, { "maintainer ", 2 },
    { "patient ", 1 }, { "named ", 2 } },
  -- Words before a name that is left out, but is too often no name to look for it elsewhere.
  weak = { ["by "] = true, ["named "] = true, ["contact "] = true, ["hey "] = true, ["tell "] = true,
    ["told "] = true, ["e-mail "] = true, ["email "] = true },
  needs_capital = { ["mr "] = true, ["ms "] = true, ["dr "] = true, ["prof "] = true, ["miss "] = true,
    ["herr "] = true, ["frau "] = true, ["mrs "] = true },
  -- Verbs of people alone.
  does = set [[said says wrote writes asked asks suggested suggests insisted insists mentioned mentions thinks
    thought agreed agrees complained complains confirmed joked prefers hates likes dislikes loves wants hopes
    believes pointed reminded promised apologised apologized volunteered resigned joined lives moved visits sagt
    sagte meint meinte möchte bevorzugt schlägt bittet dit veut préfère dice quiere prefiere pide]],
  -- Words after @ that are no people.
  tags = set [[param return returns throws see since deprecated override dataclass property staticmethod classmethod
    media import keyframes font-face include mixin supports charset test pytest before after beforeeach aftereach
    component injectable input output everyone here channel all team inheritdoc author version type typedef field
    class alias nullable notnull autowired bean entity table column id getter setter data builder value field
    private public protected internal latest next main master head staging production prod dev types babel angular
    vue react nestjs nuxt sveltejs eslint typescript-eslint storybook testing-library deprecated todo fixme note
    brief file example default readonly enum interface template tparam ingroup defgroup cache lru_cache
    abstractmethod wraps contextmanager fixture parametrize mock patch app router task command group option argument
    codex claude copilot gemini dependabot renovate cursor]],
  anyone = set [[user users runner ubuntu node app vscode root me you yourname username name someone somebody git
    circleci vagrant ec2-user pi docker build builder ci admin shared public default guest jovyan linuxbrew deploy
    gitpod codespace runneradmin coder developer dev agent worker www www-data nobody example test tester homebrew
    postgres]],
}
