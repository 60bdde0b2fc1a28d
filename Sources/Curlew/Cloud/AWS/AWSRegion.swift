#if AWS
import CurlewCore

/// Reads the region from the host name of an AWS IoT endpoint.
package enum AWSRegion {
    /// The domains of AWS's partitions.
    private static let domains = [
        "amazonaws.com", "api.aws", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "amazonaws.eu", "c2s.ic.gov",
        "sc2s.sgov.gov",
    ]

    /// The region of an endpoint, such as `eu-central-1` for `abc123-ats.iot.eu-central-1.amazonaws.com`.
    ///
    /// - Parameter host: The host name of a device data endpoint, also of FIPS, of both IP versions, or of a VPC.
    /// - Throws: ``MQTTError`` with the code `.invalidConfiguration` if the name has another form.
    package static func ofEndpoint(_ host: String) throws(MQTTError) -> String {
        let name = host.lowercased()
        for domain in Self.domains {
            guard name.hasSuffix(".\(domain)") else { continue }
            var labels = name.dropLast(domain.utf8.count + 1).split(separator: ".", omittingEmptySubsequences: false)
            if labels.last == "vpce" { labels.removeLast() }
            guard let region = labels.popLast(), Self.isRegion(region) else { continue }
            guard labels.contains("iot") || labels.contains("iot-fips") else { continue }
            return String(region)
        }
        throw MQTTError(
            .invalidConfiguration,
            "The AWS region cannot be read from the host name '\(host)'; pass `region`. It can be read from host names such as "
                + "abc123-ats.iot.eu-central-1.amazonaws.com.")
    }

    /// Whether the text has the form of a region: words of letters, then a number.
    private static func isRegion(_ text: Substring) -> Bool {
        let words = text.split(separator: "-", omittingEmptySubsequences: false)
        guard words.count >= 3, let number = words.last else { return false }
        return !number.isEmpty && number.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && words.dropLast().allSatisfy { word in
                !word.isEmpty && word.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
            }
    }
}
#endif
