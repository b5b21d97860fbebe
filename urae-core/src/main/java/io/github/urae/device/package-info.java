/** Where networks run. */
package io.github.urae.device;
