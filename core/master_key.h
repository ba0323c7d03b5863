/* Where the master key comes from: keystore.master_key, as configuration names it.
 *
 *   file:/PATH          32 bytes in a file, made at the first mount
 *   credential:NAME     the same in $CREDENTIALS_DIRECTORY/NAME, which systemd lays down (systemd.exec(5)); never made here
 *   pkcs11:URI          made by a secret key that stays in a token (token.h, token_derive); never made here
 */
#ifndef CORE_MASTER_KEY_H
#define CORE_MASTER_KEY_H

#include "certfs/buffer.h"
#include "certfs/error.h"

/* The path of the key's file; NULL where it is in none that certfs may write (credential, token). */
const char *master_key_file(const char *source);

/* Gives the 32 bytes. ret must be secret. Errors: as seal_master_read for a file and a credential (ENOENT with the variable's name
 * where systemd gave none), as token_derive for a token; ENOTSUP in a build without PKCS#11. Any thread. */
int master_key_read(const char *source, struct buffer *ret, struct error *err);

/* The source for a sentence: a PIN that a URI holds is left out. */
void master_key_text(const char *source, char *ret, size_t room);

#endif
