#include "organon/nn/network_file.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/base/hash.h"

namespace organon::nn {
namespace {

NetworkFile example() {
  NetworkFile file;
  file.info.options.features = {8, 16};
  file.info.options.pooling = {"3"};
  file.info.classes = {"mito", "er"};
  file.info.voxel_size_nm = {4.5, 4.5, 4.5};
  file.info.seed = 7;
  file.info.training = "abc";
  file.info.boundary_levels = {0, -0.125};
  file.step = 1200;
  file.tensors = {{"a", {1, 2.5F, -3}}, {"empty", {}}, {"b", {0.125F}}};
  return file;
}

void expect_corrupt(const std::string& text) {
  try {
    decode_network(text, "file");
    FAIL() << text.substr(0, 300);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << error.what();
    EXPECT_TRUE(error.message().starts_with("file")) << error.message();
  }
}

// A file with a right hash around any body.
std::string sealed(const std::string& body) {
  return "organon network 1\n" + to_hex(hash_text(body)) + "\n" + body;
}

std::string body_of(const NetworkFile& file) {
  return encode_network(file).substr(std::string("organon network 1\n").size() + 33);
}

TEST(NetworkFile, RoundTrip) {
  const NetworkFile file = example();
  const std::string text = encode_network(file);
  const NetworkFile read = decode_network(text, "file");
  EXPECT_EQ(read.info.options.features, file.info.options.features);
  EXPECT_EQ(read.info.options.pooling, file.info.options.pooling);
  EXPECT_EQ(read.info.classes, file.info.classes);
  EXPECT_EQ(read.info.voxel_size_nm, (SizeNm{4.5, 4.5, 4.5}));
  EXPECT_EQ(read.info.seed, 7U);
  EXPECT_EQ(read.info.training, "abc");
  EXPECT_EQ(read.info.boundary_levels, file.info.boundary_levels);
  EXPECT_EQ(read.step, 1200);
  ASSERT_EQ(read.tensors.size(), 3U);
  EXPECT_EQ(read.tensors[0].values, file.tensors[0].values);
  EXPECT_EQ(read.tensors[2].name, "b");
  EXPECT_EQ(encode_network(read), text);
  const NetworkFile header = decode_network_header(text, "file");
  EXPECT_EQ(header.info.classes, file.info.classes);
  EXPECT_EQ(header.step, 1200);
  EXPECT_TRUE(header.tensors.empty());
}

TEST(NetworkFile, FilesOlderThanAnOptionAreReadAsTheyWere) {
  // As written before alignment, kernels, residual and output_scale were options.
  const std::string header =
      R"({"options":{"features":[12,72],"pooling":[2],"convolutions":2,"stem":1,"last_features":72,)"
      R"("padding":"valid","normalization":"none","skip":"concatenate"},"classes":["mito"],)"
      R"("voxel_size_nm":4.0,"seed":1,"training":"","step":3,"tensors":[]})";
  const NetworkInfo old = decode_network(sealed(std::to_string(header.size()) + "\n" + header), "file").info;
  EXPECT_EQ(old.options.alignment, "paper");
  EXPECT_EQ(old.options.pooling_at(0), Shape3::cube(2));
  EXPECT_EQ(old.options.kernel_at(1), Shape3::cube(3));
  EXPECT_FALSE(old.options.is_residual());
  EXPECT_EQ(old.output_voxel_size_nm(), (SizeNm{4, 4, 4}));
  EXPECT_TRUE(old.boundary_levels.empty());
  // What is written now says it.
  NetworkFile file = example();
  file.info.options.output_scale = 2;
  const NetworkInfo read = decode_network(encode_network(file), "file").info;
  EXPECT_EQ(read.options.alignment, "centred");
  EXPECT_EQ(read.output_voxel_size_nm(), (SizeNm{2.25, 2.25, 2.25}));
}

TEST(NetworkFile, AnyChangedOrMissingByteIsSeen) {
  const std::string text = encode_network(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    expect_corrupt(changed);
    expect_corrupt(text.substr(0, i));
  }
  expect_corrupt(text + "x");
}

TEST(NetworkFile, WhatIsSealedButSenselessIsRefused) {
  const std::string body = body_of(example());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string header = body.substr(body.find('\n') + 1);
    const std::size_t at = header.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    header.replace(at, from.size(), to);
    const std::size_t values = 4 * sizeof(float);
    return sealed(std::to_string(header.size() - values) + "\n" + header);
  };
  decode_network(with("abc", "abcd"), "file");  // the way of changing is sound
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"step\"", "\"stop\""},
                                                        {"\"step\":1200", "\"step\":-1"},
                                                        {"\"step\":1200", "\"step\":1.5"},
                                                        {"\"values\":3", "\"values\":4"},
                                                        {"\"values\":3", "\"values\":2"},
                                                        {"\"values\":3", "\"values\":9000000000000000000"},
                                                        {"\"values\":3", "\"values\":18446744073709551615"},
                                                        {"[\"mito\",\"er\"]", "[]"},
                                                        {"[\"mito\",\"er\"]", "[1]"},
                                                        {"[\"mito\",\"er\"]", "3"},
                                                        {"[\"mito\",\"er\"]", "[\"../er\"]"},
                                                        {"[\"mito\",\"er\"]", "[\"a/b\"]"},
                                                        {"[0.0,-0.125]", "[0.0]"},
                                                        {"[0.0,-0.125]", "[0.0,-1.125]"},
                                                        {"[0.0,-0.125]", "[0.0,null]"},
                                                        {"[0.0,-0.125]", "\"none\""},
                                                        {"4.5", "0"},
                                                        {"4.5", "\"x\""},
                                                        {"[\"3\"]", "[]"},
                                                        {"[\"3\"]", "[\"1x0x3\"]"},
                                                        {"[8,16]", "[8192,8192]"},
                                                        {"\"abc\"", "5"}}) {
    SCOPED_TRACE(from + " -> " + to);
    expect_corrupt(with(from, to));
  }
  expect_corrupt(sealed(""));
  expect_corrupt(sealed("\n{}"));
  expect_corrupt(sealed("5\n{}"));
  expect_corrupt(sealed("99999999999999999999\n{}"));
  expect_corrupt(sealed("2\n[]"));
  expect_corrupt(sealed("2\n{}"));
}

TEST(NetworkFile, VoxelsMayBeLongerAlongAnAxis) {
  NetworkFile file;
  file.info.classes = {"a"};
  file.info.voxel_size_nm = {8, 4, 5};
  const std::string text = encode_network(file);
  EXPECT_NE(text.find("\"voxel_size_nm\":[8.0,4.0,5.0]"), std::string::npos);
  EXPECT_EQ(decode_network_header(text, "file").info.voxel_size_nm, (SizeNm{8, 4, 5}));
  file.info.options.output_scale = 2;
  EXPECT_EQ(file.info.output_voxel_size_nm(), (SizeNm{4, 2, 2.5}));
}

}  // namespace
}  // namespace organon::nn
