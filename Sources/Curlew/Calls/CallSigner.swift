/// Signs the calls of a dialect with a password.
protocol CallSigner: Sendable {
    /// What to add to a request to this device; `nil` if nothing is known yet.
    func signature(for device: String) -> (path: [String], value: any Encodable & Sendable)?

    /// The device refused a request. Returns whether to send it again, with a new signature.
    func refused(by device: String, _ error: MQTTDeviceError) -> Bool
}
