/** Reading of a checkpoint's JSON configuration files, with errors that name file and key. */
package io.github.urae.config;
