import assert from "node:assert/strict";
import { test } from "node:test";
import { receiverText, whyNoReceiver, whyNotCalled } from "./receiver.ts";

test("addresses that no speaker calls", () => {
  for (const [address, why] of [
    ["127.0.0.1", /loopback/],
    ["169.254.169.254", /link-local/],
    ["0.0.0.0", /this host/],
    ["255.255.255.255", /broadcast/],
    ["100.100.100.200", /Alibaba/],
    ["168.63.129.16", /Azure/],
    ["192.0.0.192", /Oracle/],
    ["::1", /loopback/],
    ["::", /unspecified/],
    ["fe80::1", /link-local/],
    ["fd00:ec2::254", /AWS/],
    ["fd20:ce::254", /Google/],
    ["64:ff9b::a9fe:a9fe", /link-local/],
    ["::ffff:127.0.0.1", /no address/],
    ["fe80::1%eth0", /no address/],
  ] as const)
    assert.match(whyNotCalled(address) ?? "", why, address);
  for (const address of ["10.0.0.7", "192.0.2.1", "100.64.0.1", "2001:db8::1", "fd00::1", "64:ff9b::808:808"])
    assert.equal(whyNotCalled(address), undefined, address);
});

test("URLs that are no receiver's", () => {
  for (const [url, why] of [
    ["owners", /no URL/],
    ["http://10.0.0.7/", /not https/],
    ["file:///etc/passwd", /not https/],
    ["https://me:secret@10.0.0.7/", /user or a password/],
    ["https://10.0.0.7/#x", /fragment/],
    ["https://169.254.169.254/latest", /link-local/],
    ["https://0x7f.1/", /loopback/],
    ["https://2130706433/", /loopback/],
    ["https://[::1]:8443/", /loopback/],
    ["https://[::ffff:169.254.169.254]/", /no address/],
    [`https://example.com/${"a".repeat(1_024)}`, /more than 1024/],
  ] as const)
    assert.match(whyNoReceiver(url) ?? "", why, url);
  for (const url of ["https://owners.example.com/v1?zone=a", "https://10.0.0.7:8443/", "https://[fd00::1]/"])
    assert.equal(whyNoReceiver(url), undefined, url);
});

test("people are not shown the query", () => {
  assert.equal(receiverText("https://a.example:8443/v1?token=x"), "https://a.example:8443/v1");
  assert.equal(receiverText("x"), "the receiver");
});
