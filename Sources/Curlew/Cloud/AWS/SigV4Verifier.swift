#if AWS
import CurlewCore

/// Checks signed request targets as AWS IoT does, for a stand-in in tests.
package struct SigV4Verifier: Sendable {
    /// Why a target is refused.
    package enum Refusal: Error, Hashable, CustomStringConvertible {
        /// An item of the query is absent.
        case missing(String)
        /// An item of the query is there twice.
        case repeated(String)
        /// An item of the query has a value that is not possible.
        case malformed(String)
        /// The access key ID belongs to nobody.
        case unknownAccessKey(String)
        /// The signature is for another day, region or service.
        case wrongScope(String, expected: String)
        /// The session token is absent, superfluous or another one.
        case wrongSessionToken
        /// The signature is from this many seconds in the future: more than clocks may differ.
        case fromFuture(seconds: Int)
        /// The signature was valid until this many seconds ago.
        case expired(seconds: Int)
        /// The signature is not that of the request.
        case wrongSignature

        /// One sentence.
        package var description: String {
            switch self {
            case .missing(let name): "The query has no \(name)."
            case .repeated(let name): "The query has \(name) more than once."
            case .malformed(let name): "The value of \(name) is malformed."
            case .unknownAccessKey(let identifier): "The access key \(identifier.printable) is unknown."
            case .wrongScope(let scope, let expected):
                "The credential is scoped to \(scope.printable) instead of \(expected)."
            case .wrongSessionToken: "The session token is not that of the access key."
            case .fromFuture(let seconds): "The signature is \(seconds) s in the future; check the clocks."
            case .expired(let seconds): "The signature expired \(seconds) s ago."
            case .wrongSignature: "The signature does not match the request."
            }
        }
    }

    private let signer: SigV4
    private let credentials: [AWSCredentials]

    /// - Parameter credentials: All that are known.
    package init(_ signer: SigV4, credentials: [AWSCredentials]) {
        self.signer = signer
        self.credentials = credentials
    }

    /// Checks the signature of a GET request, and its age.
    ///
    /// - Parameters:
    ///   - target: Path and query, as received.
    ///   - host: The value of the field `Host`.
    ///   - now: Seconds since 1970.
    /// - Returns: The credentials with which the request was signed.
    @discardableResult
    package func verify(_ target: String, host: String, at now: Int) throws(Refusal) -> AWSCredentials {
        let (path, query) = SigV4Query.split(target)
        let items = try Items(query)
        let time = try items.time
        let (accessKeyID, scope) = try items.credential
        guard scope == self.signer.scope(at: time) else {
            throw .wrongScope(scope, expected: self.signer.scope(at: time))
        }
        guard let credentials = self.credentials.first(where: { $0.accessKeyID == accessKeyID }) else {
            throw .unknownAccessKey(accessKeyID)
        }
        try Self.checkAge(of: time, validity: try items.validity, now)
        guard items[SigV4.Item.sessionToken] == credentials.sessionToken else { throw .wrongSessionToken }
        var signed = query
        signed.items.removeAll { [SigV4.Item.signature, SigV4.Item.sessionToken].contains($0.name) }
        let request = SigV4Request(target: "\(path)?\(signed.text)", headers: [.init("host", host)])
        guard self.signer.isSignature(try items.signature, of: request, by: credentials, at: time) else {
            throw .wrongSignature
        }
        return credentials
    }

    private static func checkAge(of time: SigV4Time, validity: Int?, _ now: Int) throws(Refusal) {
        let age = SigV4Time(secondsSince1970: now).secondsSince1970 - time.secondsSince1970
        guard age >= -SigV4.maximumSkew else { throw .fromFuture(seconds: -age) }
        let maximum = validity ?? SigV4.maximumSkew
        guard age <= maximum else { throw .expired(seconds: age - maximum) }
    }

    /// The items of the query that the signature consists of.
    private struct Items {
        private var values: [String: String] = [:]

        subscript(_ name: String) -> String? { self.values[name] }

        init(_ query: SigV4Query) throws(Refusal) {
            for item in query.items where SigV4.Item.names.contains(item.name) {
                guard self.values[item.name] == nil else { throw .repeated(item.name) }
                guard let value = item.value.percentDecoded else { throw .malformed(item.name) }
                self.values[item.name] = value
            }
            guard try self.required(SigV4.Item.algorithm) == SigV4.algorithm else {
                throw .malformed(SigV4.Item.algorithm)
            }
            guard try self.required(SigV4.Item.signedHeaders) == "host" else {
                throw .malformed(SigV4.Item.signedHeaders)
            }
        }

        private func required(_ name: String) throws(Refusal) -> String {
            guard let value = self.values[name] else { throw .missing(name) }
            return value
        }

        var time: SigV4Time {
            get throws(Refusal) {
                guard let time = SigV4Time(try self.required(SigV4.Item.date)) else {
                    throw .malformed(SigV4.Item.date)
                }
                return time
            }
        }

        /// The access key ID and the scope.
        var credential: (String, String) {
            get throws(Refusal) {
                let credential = try self.required(SigV4.Item.credential)
                let parts = credential.split(separator: "/", maxSplits: 1)
                guard parts.count == 2 else { throw .malformed(SigV4.Item.credential) }
                return (String(parts[0]), String(parts[1]))
            }
        }

        /// In seconds; `nil` if it is not stated.
        var validity: Int? {
            get throws(Refusal) {
                guard let text = self.values[SigV4.Item.validity] else { return nil }
                // A week is the longest that AWS permits.
                guard let seconds = Int(text), (1...604_800).contains(seconds) else {
                    throw .malformed(SigV4.Item.validity)
                }
                return seconds
            }
        }

        var signature: [UInt8] {
            get throws(Refusal) {
                let digits = Array(try self.required(SigV4.Item.signature).utf8)
                guard digits.count == 64 else { throw .malformed(SigV4.Item.signature) }
                var bytes: [UInt8] = []
                for index in stride(from: 0, to: 64, by: 2) {
                    guard let high = digits[index].lowerCaseDigit, let low = digits[index + 1].lowerCaseDigit else {
                        throw .malformed(SigV4.Item.signature)
                    }
                    bytes.append(high << 4 | low)
                }
                return bytes
            }
        }
    }
}

extension UInt8 {
    /// The value of a hexadecimal digit; `nil` if it is none, or in upper case.
    fileprivate var lowerCaseDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
#endif
