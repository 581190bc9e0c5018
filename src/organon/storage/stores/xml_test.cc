#include "organon/storage/stores/xml.h"

#include <gtest/gtest.h>

#include "organon/base/error.h"
#include "organon/storage/stores/s3_answers.h"

namespace organon::storage {
namespace {

void expect_corrupt(const std::string& xml) {
  try {
    parse_xml(xml);
    ADD_FAILURE() << xml;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorruptData) << xml;
  }
}

TEST(Xml, ReadsElementsTextAndReferences) {
  const XmlElement root = parse_xml(
      "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a -->\n<a b='1' c = \"2>\" "
      ">x<b/>y&amp;&lt;&#x20AC;"
      "&#65;<b>z</b ><![CDATA[<&>]]><!-- no --></a>\n");
  EXPECT_EQ(root.name, "a");
  EXPECT_EQ(root.text,
            "xy&<\xe2\x82\xac"
            "A<&>");
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.child_text("b"), "");
  EXPECT_EQ(root.children[1].text, "z");
  EXPECT_EQ(root.child("c"), nullptr);
}

TEST(Xml, RefusesWhatIsNotWhole) {
  const std::string xml = "<?xml version='1.0'?><a b='1'>x<c>&lt;<![CDATA[d]]></c><!-- e --></a>";
  EXPECT_NO_THROW(parse_xml(xml));
  for (std::size_t i = 0; i < xml.size(); ++i) expect_corrupt(xml.substr(0, i));
}

TEST(Xml, RefusesHostileDocuments) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  for (const std::string& xml :
       {std::string(""), std::string("text"), std::string("<a></b>"), std::string("<a/><b/>"),
        std::string("<a>&b;</a>"), std::string("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        std::string("<a>&#0;</a>"), std::string("<a>&#x110000;</a>"), std::string("<a>&#xd800;</a>"),
        std::string("<a>&#99999999999999;</a>"), std::string("<a b></a>"), std::string("<a b=1></a>"),
        std::string("<a b='<'/>"), std::string("<a><?php ?></a>"), std::string("<a b='1'c='2'/>"),
        std::string("< a/>"), deep})
    expect_corrupt(xml);
}

TEST(S3Answers, ListsKeysAndFolders) {
  const S3Page page = parse_s3_page(
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><IsTruncated>true"
      "</IsTruncated><NextContinuationToken>t&amp;</NextContinuationToken><Contents><Key>a/1 "
      "&lt;2&gt;</Key><Size>3"
      "</Size></Contents><CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes></ListBucketResult>");
  EXPECT_EQ(page.keys, std::vector<std::string>{"a/1 <2>"});
  EXPECT_EQ(page.folders, std::vector<std::string>{"a/b/"});
  EXPECT_EQ(page.next_token, "t&");
}

TEST(S3Answers, RefusesListsThatAreNone) {
  for (const char* xml : {"<html/>", "<ListBucketResult><Contents/></ListBucketResult>",
                          "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "{}"})
    EXPECT_THROW(parse_s3_page(xml), Error) << xml;
}

TEST(S3Answers, ErrorsOfOthersHaveNoCode) {
  EXPECT_EQ(parse_s3_error("<Error><Code>SlowDown</Code><Message>m</Message></Error>").code, "SlowDown");
  EXPECT_EQ(parse_s3_error("<html><body>502</body></html>").code, "");
  EXPECT_EQ(parse_s3_error("no XML").code, "");
}

}  // namespace
}  // namespace organon::storage
