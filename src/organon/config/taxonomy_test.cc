#include "organon/config/taxonomy.h"

#include <gtest/gtest.h>

#include <set>

#include "organon/base/error.h"

namespace organon::config {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_taxonomy(text, "lab.toml");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    return error.message();
  }
  return "";
}

constexpr const char* kSound = R"(
[atoms]
wall = 7
inside = 3

[classes.cell]
atoms = ["wall", "inside"]
aliases = ["whole_cell"]

[classes.wall]
atoms = ["wall"]
balance_as = "cell"
add_nm = 4.5
color = "#102030"

[setups]
both = ["wall", "cell"]
)";

TEST(Taxonomy, ALabsOwnIsAFile) {
  const Taxonomy taxonomy = parse_taxonomy(kSound, "lab.toml");
  EXPECT_EQ(taxonomy.name, "lab");
  ASSERT_EQ(taxonomy.atoms.size(), 2U);
  EXPECT_EQ(taxonomy.atoms[0].name, "inside") << "in the order of the ids";
  ASSERT_EQ(taxonomy.classes.size(), 2U);
  EXPECT_EQ(taxonomy.classes[0].name, "cell") << "in that of the file";
  EXPECT_EQ(taxonomy.learned_class("whole_cell").name, "cell");
  EXPECT_EQ(taxonomy.learned_class("wall").balance_as, "cell");
  EXPECT_EQ(taxonomy.learned_class("wall").add_nm, 4.5);
  EXPECT_EQ(taxonomy.id_of("wall"), 7U);
  EXPECT_EQ(taxonomy.find_atom(3)->name, "inside");
  EXPECT_EQ(taxonomy.find_setup("both")->classes, (std::vector<std::string>{"wall", "cell"}));
  EXPECT_EQ(taxonomy.find_setup("none"), nullptr);
  EXPECT_THROW(taxonomy.learned_class("cel"), Error);
  EXPECT_THROW(taxonomy.id_of("out"), Error);
}

TEST(Taxonomy, FaultsAreNamedWithTheirLine) {
  const auto expect = [](const std::string& from, const std::string& to, const std::string& line,
                         const std::string& part) {
    std::string text = kSound;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    const std::string message = refusal(text.replace(at, from.size(), to));
    EXPECT_EQ(message.rfind("lab.toml:" + line + ":", 0), 0U) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect("wall = 7", "wall = 0", "3", "above 0");
  expect("wall = 7", "wall = 3", "3", "has the id 3, too");
  expect("wall = 7", "wall = \"7\"", "3", "above 0");
  expect("\"wall\", \"inside\"", "\"wall\", \"insid\"", "7", "did you mean 'inside'?");
  expect("atoms = [\"wall\"]", "", "10", "atoms are missing");
  expect("balance_as", "balance", "12", "unknown key 'balance'");
  expect("\"cell\"\nadd", "\"cel\"\nadd", "10", "did you mean 'cell'?");
  expect("\"whole_cell\"", "\"wall\"", "6", "is taken");
  expect("#102030", "red", "14", "expected #rrggbb");
  expect("[\"wall\", \"cell\"]", "[\"wall\", \"sell\"]", "17", "did you mean 'cell'?");
  expect("[\"wall\", \"cell\"]", "[\"wall\", \"wall\"]", "17", "named twice");
  expect("[\"wall\", \"cell\"]", "[]", "17", "no classes");
  expect("[classes.cell]", "[classes.\"a/b\"]", "6", "expected a name of letters");
  EXPECT_NE(refusal("[atoms]\na = 1\n").find("no classes"), std::string::npos);
}

// The table of the paper's code, written out: name there, ids, whose balance, constant in nm.
struct PaperClass {
  const char* name;
  std::set<std::uint64_t> ids;
  const char* balance_as;
  double add_nm;
};
const std::vector<PaperClass> kPaper = {
    {"ecs", {1}, "", 0},
    {"plasma_membrane", {2}, "", 0},
    {"mito", {3, 4, 5}, "", 0},
    {"mito_membrane", {3}, "mito", 0},
    {"mito_DNA", {5}, "mito", 0},
    {"golgi", {6, 7}, "", 0},
    {"golgi_membrane", {6}, "", 0},
    {"vesicle", {8, 9}, "", 0},
    {"vesicle_membrane", {8}, "vesicle", 0},
    {"MVB", {10, 11}, "", 0},
    {"MVB_membrane", {10}, "endo", 0},
    {"lysosome", {12, 13}, "", 0},
    {"lysosome_membrane", {12}, "lyso", 0},
    {"LD", {14, 15}, "", 0},
    {"LD_membrane", {14}, "ld", 0},
    {"er", {16, 17, 18, 19, 20, 21, 22, 23}, "", 0},
    {"er_membrane", {16, 18, 20}, "er", 0},
    {"ERES", {18, 19}, "", 0},
    {"ERES_membrane", {18}, "eres", 0},
    {"nucleus", {20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 37}, "", 0},
    {"nucleolus", {29}, "", 0},
    {"NE", {20, 21, 22, 23}, "", 0},
    {"NE_membrane", {20, 22, 23}, "ne", 0},
    {"nuclear_pore", {22, 23}, "", 0},
    {"nuclear_pore_out", {22}, "np", 0},
    {"chromatin", {24, 25, 26, 27}, "", 0},
    {"NHChrom", {25}, "", 0},
    {"EChrom", {26}, "", 0},
    {"NEChrom", {27}, "", 0},
    {"microtubules", {30, 36}, "", 0},
    {"microtubules_out", {30}, "mt", 0},
    {"centrosome", {31}, "", 2},
    {"distal_app", {32}, "", 0},
    {"subdistal_app", {33}, "", 0},
    {"ribosomes", {34}, "", 8},
};

TEST(Taxonomy, ThePapersHasItsThirtyFiveClasses) {
  const Taxonomy taxonomy = load_taxonomy(kStandardTaxonomy);
  EXPECT_EQ(taxonomy.atoms.size(), 37U);
  ASSERT_EQ(taxonomy.classes.size(), kPaper.size());
  std::set<std::string> seen;
  for (const PaperClass& expected : kPaper) {
    SCOPED_TRACE(expected.name);
    const LearnedClass& found = taxonomy.learned_class(expected.name);
    EXPECT_TRUE(seen.insert(found.name).second);
    std::set<std::uint64_t> ids;
    for (const std::string& atom : found.atoms) ids.insert(taxonomy.id_of(atom));
    EXPECT_EQ(ids, expected.ids);
    EXPECT_EQ(found.balance_as, expected.balance_as);
    EXPECT_EQ(found.add_nm, expected.add_nm);
    EXPECT_EQ(found.generic, std::string(expected.name) == "nucleus" ? "nucleus" : "");
  }
  EXPECT_EQ(taxonomy.learned_class("mt").joined, (std::vector<std::string>{"cent"}));
  EXPECT_EQ(taxonomy.learned_class("cent").joined, (std::vector<std::string>{"cent-dapp", "cent-sdapp"}));
}

TEST(Taxonomy, SetupsAreThoseOfThePaper) {
  const Taxonomy taxonomy = load_taxonomy(kStandardTaxonomy);
  ASSERT_EQ(taxonomy.setups.size(), 16U);
  EXPECT_EQ(taxonomy.find_setup("all")->classes.size(), 34U);
  EXPECT_EQ(taxonomy.find_setup("many")->classes.size(), 14U);
  std::set<std::string> in_few;
  for (const NetworkSetup& setup : taxonomy.setups) {
    if (setup.name.rfind("few-", 0) != 0) continue;
    for (const std::string& name : setup.classes) EXPECT_TRUE(in_few.insert(name).second) << name;
  }
  EXPECT_EQ(in_few.size(), 35U) << "each class is learned in one group";
}

TEST(Taxonomy, AFileThatIsNotThereIsNamed) {
  try {
    load_taxonomy("nowhere.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
    EXPECT_NE(error.message().find("heinrich2021"), std::string::npos);
  }
}

}  // namespace
}  // namespace organon::config
