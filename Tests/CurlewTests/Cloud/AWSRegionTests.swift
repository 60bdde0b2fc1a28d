#if AWS
import Testing

@testable import Curlew

@Suite("Regions of AWS endpoints")
struct AWSRegionTests {
    @Test(
        "The region is part of the host name",
        arguments: [
            ("abc123-ats.iot.eu-central-1.amazonaws.com", "eu-central-1"),
            ("ABC123.IOT.US-EAST-1.AMAZONAWS.COM", "us-east-1"),
            ("a1.ats.iot.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("abc-ats.iot.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
            ("abc.data.iot-fips.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
            ("abc-ats.iot.ap-southeast-4.api.aws", "ap-southeast-4"),
            ("vpce-0abc-1def.data.iot.us-west-2.vpce.amazonaws.com", "us-west-2"),
            ("vpce-0abc-1def-us-west-2a.data.iot.us-west-2.vpce.amazonaws.com", "us-west-2"),
            ("data.iot.ap-northeast-10.amazonaws.com", "ap-northeast-10"),
            ("abc-ats.iot.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ])
    func regions(host: String, region: String) throws {
        #expect(try AWSRegion.ofEndpoint(host) == region)
    }

    @Test(
        "A host name of another form is refused, and the error says to pass the region",
        arguments: [
            "", "localhost", "iot.example.com", "127.0.0.1", "::1", "amazonaws.com", "iot.amazonaws.com",
            "abc.iot.eu-central-1.amazonaws.com.example.com", "abc.iot.eu-central-1.example.com",
            "abc.iot.eu-central.amazonaws.com", "abc.iot.eu-central-.amazonaws.com", "abc.iot.-central-1.amazonaws.com",
            "bucket.s3.eu-central-1.amazonaws.com", "eu-central-1.amazonaws.com", "abc.iot..amazonaws.com",
            "vpce.amazonaws.com", "abc.iot.eu-central-1amazonaws.com",
        ])
    func refused(host: String) {
        expectError(.invalidConfiguration, mentioning: ["'\(host)'", "pass `region`"]) { () throws(MQTTError) in
            _ = try AWSRegion.ofEndpoint(host)
        }
    }
}
#endif
