#include "organon/storage/stores/aws_signature.h"

#include <gtest/gtest.h>

namespace organon::storage {
namespace {

// The worked examples of AWS's own documentation [aws2024signature].
const AwsCredentials kExample = {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
const AwsScope kExampleScope = {.time = "20130524T000000Z", .region = "us-east-1"};
const std::string kEmptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

AwsRequest example_request(const std::string& method, const std::string& path,
                           const std::string& payload_sum) {
  AwsRequest request;
  request.method = method;
  request.path = path;
  request.headers = {{"host", "examplebucket.s3.amazonaws.com"},
                     {"x-amz-content-sha256", payload_sum},
                     {"x-amz-date", "20130524T000000Z"}};
  request.payload_sha256 = payload_sum;
  return request;
}

std::string signature(const std::string& authorization) {
  return authorization.substr(authorization.find("Signature=") + 10);
}

TEST(AwsSignature, OfPartOfAnObject) {
  AwsRequest request = example_request("GET", "/test.txt", kEmptySum);
  request.headers.emplace_back("range", "bytes=0-9");
  EXPECT_EQ(aws_authorization(request, kExample, kExampleScope),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(AwsSignature, OfAnObjectSent) {
  const std::string sum = sha256_hex("Welcome to Amazon S3.");
  EXPECT_EQ(sum, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  AwsRequest request = example_request("PUT", "/test%24file.text", sum);
  request.headers.emplace_back("date", "Fri, 24 May 2013 00:00:00 GMT");
  request.headers.emplace_back("x-amz-storage-class", "REDUCED_REDUNDANCY");
  EXPECT_EQ(signature(aws_authorization(request, kExample, kExampleScope)),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(AwsSignature, OfAQueryWithoutValue) {
  AwsRequest request = example_request("GET", "/", kEmptySum);
  request.query = {{"lifecycle", ""}};
  EXPECT_EQ(signature(aws_authorization(request, kExample, kExampleScope)),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(AwsSignature, OfAQueryInAnyOrder) {
  AwsRequest request = example_request("GET", "/", kEmptySum);
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(signature(aws_authorization(request, kExample, kExampleScope)),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

// Of AWS's test suite aws4_testsuite, whose requests go to a service of the name "service".
const AwsCredentials kSuite = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const AwsScope kSuiteScope = {.time = "20150830T123600Z", .region = "us-east-1", .service = "service"};

AwsRequest suite_request() {
  AwsRequest request;
  request.method = "GET";
  request.path = "/";
  request.headers = {{"host", "example.amazonaws.com"}, {"x-amz-date", "20150830T123600Z"}};
  request.payload_sha256 = kEmptySum;
  return request;
}

TEST(AwsSignature, GetVanillaOfTheSuite) {
  EXPECT_EQ(signature(aws_authorization(suite_request(), kSuite, kSuiteScope)),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(AwsSignature, GetVanillaQueryOrderKeyCaseOfTheSuite) {
  AwsRequest request = suite_request();
  request.query = {{"Param2", "value2"}, {"Param1", "value1"}};
  EXPECT_EQ(signature(aws_authorization(request, kSuite, kSuiteScope)),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(AwsSignature, GetHeaderValueTrimOfTheSuite) {
  AwsRequest request = suite_request();
  request.headers.emplace_back("my-header1", " value1");
  request.headers.emplace_back("my-header2", " \"a   b   c\"");
  EXPECT_EQ(signature(aws_authorization(request, kSuite, kSuiteScope)),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(AwsSignature, DigestsAndTheirSpelling) {
  EXPECT_EQ(sha256_hex(""), kEmptySum);
  EXPECT_EQ(to_hex(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");  // [rivest1992md]
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace organon::storage
