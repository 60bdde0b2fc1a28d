/// An extension of a certificate or a revocation list (RFC 5280 section 4.2).
struct DERExtension {
    /// The encoded object identifier.
    let name: ArraySlice<UInt8>
    let isCritical: Bool
    /// The encoded value.
    let value: ArraySlice<UInt8>

    init?(_ element: DERReader.Element) {
        var fields = element.elements
        guard element.tag == DERReader.Tag.sequence, let name = fields.next(DERReader.Tag.objectIdentifier) else {
            return nil
        }
        let critical = fields.nextIfPresent(DERReader.Tag.boolean)
        guard let value = fields.next(DERReader.Tag.octetString), fields.isAtEnd else { return nil }
        self.name = name.content
        self.isCritical = critical.map { $0.content.first != 0 } ?? false
        self.value = value.content
    }

    // Of certificates.
    static let basicConstraints: ArraySlice<UInt8> = [0x55, 0x1D, 0x13]
    static let policyConstraints: ArraySlice<UInt8> = [0x55, 0x1D, 0x24]
    // Of lists.
    static let issuerAlternativeName: ArraySlice<UInt8> = [0x55, 0x1D, 0x12]
    static let listNumber: ArraySlice<UInt8> = [0x55, 0x1D, 0x14]
    static let deltaIndicator: ArraySlice<UInt8> = [0x55, 0x1D, 0x1B]
    static let issuingDistributionPoint: ArraySlice<UInt8> = [0x55, 0x1D, 0x1C]
    static let authorityKeyIdentifier: ArraySlice<UInt8> = [0x55, 0x1D, 0x23]
    // Of entries.
    static let reasonCode: ArraySlice<UInt8> = [0x55, 0x1D, 0x15]
    static let holdInstruction: ArraySlice<UInt8> = [0x55, 0x1D, 0x17]
    static let invalidityDate: ArraySlice<UInt8> = [0x55, 0x1D, 0x18]
    static let certificateIssuer: ArraySlice<UInt8> = [0x55, 0x1D, 0x1D]
}

extension DERReader.Element {
    /// The content of an integer without superfluous leading zeros, so that equal serial numbers are equal bytes.
    var serialNumber: [UInt8] {
        var bytes = self.content
        while bytes.count > 1, bytes.first == 0, bytes.dropFirst().first.map({ $0 < 0x80 }) ?? false {
            bytes = bytes.dropFirst()
        }
        return Array(bytes)
    }
}
