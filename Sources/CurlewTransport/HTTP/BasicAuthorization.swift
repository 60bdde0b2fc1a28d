/// The credentials of HTTP's basic authentication (RFC 7617).
struct BasicAuthorization {
    let username: String
    let password: String

    /// The value of a field `Authorization` or `Proxy-Authorization`.
    var value: String { "Basic " + Base64.encode(Array("\(self.username):\(self.password)".utf8)) }
}
