#if AWS
import Testing

@testable import Curlew

/// One request of AWS's published test suite for Signature Version 4, signed at 2015-08-30 12:36:00 UTC for the service
/// "service" in us-east-1. botocore computes the same values.
struct SigV4Vector: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let request: SigV4Request
    /// The SHA-256 hash of the canonical request.
    let canonicalHash: String
    let signature: String

    static let signer = SigV4(region: "us-east-1", service: "service")
    static let time = SigV4Time(secondsSince1970: 1_440_938_160)
    static let credentials = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

    private init(
        _ name: String, method: String = "GET", _ target: String, headers: [SigV4Request.Header] = [],
        body: String = "", canonical: String, _ signature: String
    ) {
        self.testDescription = name
        self.request = SigV4Request(
            method: method, target: target,
            headers: [.init("Host", "example.amazonaws.com")] + headers + [.init("X-Amz-Date", "20150830T123600Z")],
            body: Array(body.utf8))
        self.canonicalHash = canonical
        self.signature = signature
    }

    private static let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    private static let sessionToken =
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfp"
        + "SPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQ"
        + "DYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+s"
        + "cqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

    static let all = [
        Self(
            "get-vanilla", "/",
            canonical: "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Self(
            "get-vanilla-empty-query-key", "/?Param1=value1",
            canonical: "1e24db194ed7d0eec2de28d7369675a243488e08526e8c1c73571282f7c517ab",
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        Self(
            "get-vanilla-query-order-key", "/?Param1=value2&Param1=Value1",
            canonical: "704b4cef673542d84cdff252633f065e8daeba5f168b77116f8b1bcaf3d38f89",
            "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
        Self(
            "get-vanilla-query-order-key-case", "/?Param2=value2&Param1=value1",
            canonical: "816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Self(
            "get-vanilla-query-order-value", "/?Param1=value2&Param1=value1",
            canonical: "c968629d70850097a2d8781c9bf7edcb988b04cac14cca9be4acc3595f884606",
            "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
        Self(
            "get-vanilla-query-unreserved", "/?\(Self.unreserved)=\(Self.unreserved)",
            canonical: "c30d4703d9f799439be92736156d47ccfb2d879ddf56f5befa6d1d6aab979177",
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        Self(
            "get-vanilla-utf8-query", "/?ሴ=bar",
            canonical: "eb30c5bed55734080471a834cc727ae56beb50e5f39d1bff6d0d38cb192a7073",
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        Self(
            "get-unreserved", "/\(Self.unreserved)",
            canonical: "6a968768eefaa713e2a6b16b589a8ea192661f098f37349f4e2c0082757446f9",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        Self(
            "get-utf8", "/ሴ",
            canonical: "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102",
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        Self(
            "get-space", "/example space/",
            canonical: "63ee75631ed7234ae61b5f736dfc7754cdccfedbff4b5128a915706ee9390d86",
            "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        Self(
            "get-slash", "//",
            canonical: "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Self(
            "get-slashes", "//example//",
            canonical: "cb96b4ac96d501f7c5c15bc6d67b3035061cfced4af6585ad927f7e6c985c015",
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        Self(
            "get-slash-dot-slash", "/./",
            canonical: "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Self(
            "get-slash-pointless-dot", "/./example",
            canonical: "214d50c111a8edc4819da6a636336472c916b5240f51e9a51b5c3305180cf702",
            "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        Self(
            "get-relative", "/example/..",
            canonical: "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Self(
            "get-relative-relative", "/example1/example2/../..",
            canonical: "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Self(
            "get-header-key-duplicate", "/",
            headers: [.init("My-Header1", "value2"), .init("My-Header1", "value2"), .init("My-Header1", "value1")],
            canonical: "dc7f04a3abfde8d472b0ab1a418b741b7c67174dad1551b4117b15527fbe966c",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
        Self(
            "get-header-value-order", "/",
            headers: [
                .init("My-Header1", "value4"), .init("My-Header1", "value1"), .init("My-Header1", "value3"),
                .init("My-Header1", "value2"),
            ],
            canonical: "31ce73cd3f3d9f66977ad3dd957dc47af14df92fcd8509f59b349e9137c58b86",
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
        Self(
            "get-header-value-trim", "/",
            headers: [.init("My-Header1", " value1"), .init("My-Header2", " \"a   b   c\"")],
            canonical: "a726db9b0df21c14f559d0a978e563112acb1b9e05476f0a6a1c7d68f28605c7",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        Self(
            "post-vanilla", method: "POST", "/",
            canonical: "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Self(
            "post-vanilla-query", method: "POST", "/?Param1=value1",
            canonical: "9d659678c1756bb3113e2ce898845a0a79dbbc57b740555917687f1b3340fbbd",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        Self(
            "post-header-key-case", method: "POST", "/",
            canonical: "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Self(
            "post-header-key-sort", method: "POST", "/", headers: [.init("My-Header1", "value1")],
            canonical: "9368318c2967cf6de74404b30c65a91e8f6253e0a8659d6d5319f1a812f87d65",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        Self(
            "post-header-value-case", method: "POST", "/", headers: [.init("My-Header1", "VALUE1")],
            canonical: "d51ced243e649e3de6ef63afbbdcbca03131a21a7103a1583706a64618606a93",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
        Self(
            "post-x-www-form-urlencoded", method: "POST", "/",
            headers: [.init("Content-Type", "application/x-www-form-urlencoded")], body: "Param1=value1",
            canonical: "42a5e5bb34198acb3e84da4f085bb7927f2bc277ca766e6d19c73c2154021281",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        Self(
            "post-x-www-form-urlencoded-parameters", method: "POST", "/",
            headers: [.init("Content-Type", "application/x-www-form-urlencoded; charset=utf8")], body: "Param1=value1",
            canonical: "2e1cf7ed91881a30569e46552437e4156c823447bf1781b921b5d486c568dd1c",
            "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"),
        Self(
            "post-sts-header-before", method: "POST", "/", headers: [.init("X-Amz-Security-Token", Self.sessionToken)],
            canonical: "c237e1b440d4c63c32ca95b5b99481081cb7b13c7e40434868e71567c1a882f6",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
    ]
}
#endif
