// The part of js-sha256 that the panel uses.
export const sha256: {
  /** HMAC-SHA256 in lower-case hexadecimal. */
  hmac(key: string, message: string): string;
};
