#if Digest
import Crypto
import CurlewCore
import NIOCore
import Synchronization

extension MQTTDialect {
    /// Shelly devices of generation 2 and later that require a password (digest authentication with SHA-256).
    ///
    /// Keep the dialect and use it for all calls: it remembers the challenge of each device, which saves a round trip.
    /// Needs the package trait `Digest`.
    ///
    /// - Parameters:
    ///   - password: The password of the devices; the user is always `admin`.
    ///   - source: The name of this caller, whose answers arrive on `{source}/rpc`. Default: `nil`, a random name.
    public static func shelly(password: MQTTPassword, source: String? = nil) -> Self {
        var dialect = Self.shelly(calledBy: source)
        dialect.signer = ShellyDigest(password)
        return dialect
    }
}

/// Digest authentication as Shelly devices use it (RFC 7616 with SHA-256, and fixed values in place of the HTTP method
/// and URI).
final class ShellyDigest: CallSigner {
    /// What a device sends with the error 401.
    struct Challenge: Decodable, Sendable {
        let realm: String
        let nonce: Int64
        /// How often the nonce was used; `nil` if the device does not count.
        var nc: Int64?
    }

    private let password: MQTTPassword
    /// The latest challenge of each device. Guards them.
    private let challenges = Mutex<[String: Challenge]>([:])

    init(_ password: MQTTPassword) { self.password = password }

    func signature(for device: String) -> (path: [String], value: any Encodable & Sendable)? {
        let challenge = self.challenges.withLock { challenges -> Challenge? in
            let challenge = challenges[device]
            // The next request uses the nonce once more.
            if let count = challenge?.nc { challenges[device]?.nc = count + 1 }
            return challenge
        }
        guard let challenge else { return nil }
        return (["auth"], self.authentication(challenge, cnonce: .random(in: 1..<(1 << 31))))
    }

    func refused(by device: String, _ error: MQTTDeviceError) -> Bool {
        guard error.code == 401,
            let challenge = try? MQTTJSONCoder().decode(Challenge.self, from: ByteBuffer(string: error.message))
        else { return false }
        // The counter is the device's number: it must not overflow.
        guard challenge.nc.map({ (0..<(1 << 31)).contains($0) }) ?? true else { return false }
        self.challenges.withLock { $0[device] = challenge }
        return true
    }

    func authentication(_ challenge: Challenge, cnonce: Int64) -> JSONValue {
        let secret = Self.hash(Array("admin:\(challenge.realm):".utf8) + Array(self.password.bytes.readableBytesView))
        let count = challenge.nc ?? 1
        let fixed = Self.hash(Array("dummy_method:dummy_uri".utf8))
        let response = Self.hash(Array("\(secret):\(challenge.nonce):\(count):\(cnonce):auth:\(fixed)".utf8))
        var members: [String: JSONValue] = [
            "realm": .string(challenge.realm), "username": "admin", "nonce": .integer(challenge.nonce),
            "cnonce": .integer(cnonce), "response": .string(response), "algorithm": "SHA-256",
        ]
        if let count = challenge.nc { members["nc"] = .integer(count) }
        return .object(members)
    }

    private static func hash(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(SHA256.hash(data: bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
#endif
